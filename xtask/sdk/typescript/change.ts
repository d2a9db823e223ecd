// Changes one password with the official TypeScript SDK, and asks for a digit token.
import { change, run, setting } from "./passwords.js";

run(() => change(setting("LOCKSTEP_TEST_USER"), setting("LOCKSTEP_TEST_SOURCE"), setting("LOCKSTEP_TEST_NEW_PASSWORD")));
