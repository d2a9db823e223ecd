// What the programs beside this file share: the four operations, the settings, and how an error is told.
//
// They are tests of the server, not examples of its use: they take the SDK as it is published, read the SDK's own
// three variables and the LOCKSTEP_TEST_ ones, print one line of JSON, and say in one sentence what went wrong.
import { constants, createPublicKey, publicEncrypt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Configuration, PasswordManagementV2024Api, type PasswordStatusV2024 } from "sailpoint-api-client";

/** How long a change may stay in progress before the test gives up. */
const PATIENCE_MILLISECONDS = 60_000;
const POLL_MILLISECONDS = 200;

/** What came of one changed password. */
export type Changed = Awaited<ReturnType<typeof change>>;

/** Runs a program: one line of JSON, or one sentence and exit code 1. */
export function run(program: () => Promise<object>): void {
  program().then(
    (result) => console.log(JSON.stringify(result)),
    (error) => {
      console.error(`sdk-typescript: ${describe(error)}`);
      process.exitCode = 1;
    },
  );
}

/** The SDK's own configuration, from its variables. */
export function configuration(): Configuration {
  for (const name of ["SAIL_BASE_URL", "SAIL_CLIENT_ID", "SAIL_CLIENT_SECRET"]) {
    setting(name);
  }
  const made = new Configuration();
  made.experimental = true;
  return made;
}

/** Changes one password and asks for a digit token. */
export async function change(userName: string, sourceName: string, password: string) {
  const passwords = new PasswordManagementV2024Api(configuration());

  const { data: info } = await passwords.queryPasswordInfo({ passwordInfoQueryDTOV2024: { userName, sourceName } });
  if (info.accounts?.length !== 1) {
    throw new Error(`query-password-info names ${info.accounts?.length} accounts, expected one`);
  }
  const accountId = info.accounts[0].accountId;

  const { data: accepted } = await passwords.setPassword({
    passwordChangeRequestV2024: {
      identityId: info.identityId,
      encryptedPassword: encrypt(info.publicKey ?? "", password),
      publicKeyId: info.publicKeyId,
      accountId,
      sourceId: info.sourceId,
    },
  });
  if (!accepted.requestId) {
    throw new Error("set-password answered without a requestId");
  }

  const status = await wait(passwords, accepted.requestId);
  if (status.state !== "FINISHED") {
    throw new Error(`the change ended as ${status.state}: ${JSON.stringify(status.errors)}`);
  }

  const { data: token } = await passwords.createDigitToken({ passwordDigitTokenResetV2024: { userId: userName } });
  if (typeof token.digitToken !== "string" || !/^[0-9]{6,18}$/.test(token.digitToken)) {
    throw new Error("the digit token is not a string of 6 to 18 digits");
  }
  if (!token.requestId) {
    throw new Error("the digit token came without a requestId");
  }

  return {
    sdk: "typescript v2024",
    identityId: info.identityId,
    accountId,
    policies: info.policies,
    requestId: accepted.requestId,
    state: status.state,
    sourceIds: status.sourceIds,
    tokenRequestId: token.requestId,
  };
}

async function wait(passwords: PasswordManagementV2024Api, id: string): Promise<PasswordStatusV2024> {
  const deadline = Date.now() + PATIENCE_MILLISECONDS;
  while (Date.now() < deadline) {
    const { data: status } = await passwords.getPasswordChangeStatus({ id });
    if (status.state !== "IN_PROGRESS") {
      return status;
    }
    await sleep(POLL_MILLISECONDS);
  }
  throw new Error(`the change was still in progress after ${PATIENCE_MILLISECONDS} ms`);
}

/** The key comes as base64 of the DER SubjectPublicKeyInfo; the padding is PKCS#1 v1.5. */
function encrypt(publicKey: string, password: string): string {
  const key = createPublicKey({ key: Buffer.from(publicKey, "base64"), format: "der", type: "spki" });
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.from(password, "utf8")).toString("base64");
}

/** An environment variable that must be there. */
export function setting(name: string): string {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set`);
  }
  return value;
}

/** An axios error carries the server's answer; without it the sentence would only say "status code 400". */
function describe(error: unknown): string {
  const answer = (error as { response?: { status: number; data: unknown } }).response;
  const text = error instanceof Error ? error.message : String(error);
  return answer ? `${text}: ${JSON.stringify(answer.data)}` : text;
}
