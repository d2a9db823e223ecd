// Sets a server up with the official TypeScript SDK, from nothing but the administrator's token to a changed password.
//
// The administrator makes a client, the dictionary, the settings, a policy, two sources, their readings, a sync group and an
// application; the new client then does the four operations.
import { File } from "node:buffer";
import { setTimeout as sleep } from "node:timers/promises";
import {
  AccountsV2024Api,
  AppsV2024Api,
  OAuthClientsV2024Api,
  PasswordConfigurationV2024Api,
  PasswordDictionaryV2024Api,
  PasswordPoliciesV2024Api,
  PasswordSyncGroupsV2024Api,
  SourcesV2024Api,
  TaskManagementV2024Api,
  type Configuration,
  type JsonPatchOperationV2024,
  type SourceV2024,
} from "sailpoint-api-client";
import { change, configuration, run, setting, type Changed } from "./passwords.js";

/** How long the accounts of a source may be read. */
const PATIENCE_MILLISECONDS = 60_000;
const POLL_MILLISECONDS = 200;

/** A source as the test wants it. */
interface Wanted {
  name: string;
  connector: string;
  attributes: object;
  aggregation: object;
  /** How many accounts its reading finds. */
  accounts: number;
}

async function administer(): Promise<Changed> {
  const user = setting("LOCKSTEP_TEST_USER");
  const password = setting("LOCKSTEP_TEST_NEW_PASSWORD");
  const wanted: Wanted[] = ["LOCKSTEP_TEST_DIRECTORY", "LOCKSTEP_TEST_TABLE"].map((name) => JSON.parse(setting(name)));
  const administrator = configuration();
  const client = await createClient(administrator);

  const dictionary = new PasswordDictionaryV2024Api(administrator);
  await dictionary.putPasswordDictionary({ file: new File(["harbour\nlantern\n"], "words.txt") as never });
  const { data: words } = await dictionary.getPasswordDictionary();
  expect(String(words).includes("harbour"), "the dictionary lost a word");

  const settings = new PasswordConfigurationV2024Api(administrator);
  const { data: told } = await settings.putPasswordOrgConfig({
    passwordOrgConfigV2024: { digitTokenEnabled: true, digitTokenLength: 8 },
  });
  expect(told.digitTokenEnabled && told.digitTokenLength === 8, `the settings are ${JSON.stringify(told)}`);

  const { data: policy } = await new PasswordPoliciesV2024Api(administrator).createPasswordPolicy({
    passwordPolicyV3DtoV2024: { name: "Everybody", minLength: 10, minNumeric: 1, useDictionary: true },
  });
  expect(policy.minLength === 10 && policy.useDictionary, `the policy is ${JSON.stringify(policy)}`);

  const sources: SourceV2024[] = [];
  for (const source of wanted) {
    sources.push(await createSource(administrator, source, policy.id ?? ""));
  }
  const ids = sources.map((source) => source.id ?? "").sort();

  const { data: group } = await new PasswordSyncGroupsV2024Api(administrator).createPasswordSyncGroup({
    passwordSyncGroupV2024: { name: "Work", passwordPolicyId: policy.id, sourceIds: ids },
  });
  expect(same(group.sourceIds, ids), `the group is ${JSON.stringify(group)}`);

  const { data: app } = await new AppsV2024Api(administrator).createSourceApp({
    xSailPointExperimental: "true",
    sourceAppCreateDtoV2024: {
      name: "Intranet",
      description: "News and forms",
      accountSource: { id: sources[1].id ?? "", type: "SOURCE" },
    },
  });
  expect(app.accountSource?.id === sources[1].id, `the application is ${JSON.stringify(app)}`);

  process.env.SAIL_CLIENT_ID = client.id;
  process.env.SAIL_CLIENT_SECRET = client.secret;
  const changed = await change(user, wanted[0].name, password);
  expect(same(changed.sourceIds, ids), "the change went elsewhere");
  return changed;
}

async function createClient(administrator: Configuration): Promise<{ id: string; secret: string }> {
  const clients = new OAuthClientsV2024Api(administrator);
  const { data: client } = await clients.createOauthClient({
    createOAuthClientRequestV2024: {
      name: "Reset kiosk",
      description: "Changes passwords for people",
      accessTokenValiditySeconds: 750,
      grantTypes: ["CLIENT_CREDENTIALS"],
      accessType: "OFFLINE",
      enabled: true,
    },
  });
  const { data: again } = await clients.getOauthClient({ id: client.id });
  expect(again.name === "Reset kiosk" && !again.secret, "the client is told otherwise, or with its secret");
  return client;
}

/** A source that is tested, takes passwords, has a policy, and whose accounts are read. */
async function createSource(administrator: Configuration, wanted: Wanted, policyId: string): Promise<SourceV2024> {
  const sources = new SourcesV2024Api(administrator);
  const { name, connector, attributes: connectorAttributes } = wanted;
  // The vendor's document calls the owner necessary; Lockstep has none.
  const draft = { name, connector, connectorAttributes, owner: {} };
  const { data: made } = await sources.createSource({ sourceV2024: draft });
  const id = made.id ?? "";
  expect(!made.features?.includes("PASSWORD"), "a new source takes passwords before anybody said so");
  expect(!("password" in (made.connectorAttributes ?? {})), "a source tells its secret");
  const patch = async (...jsonPatchOperationV2024: JsonPatchOperationV2024[]) =>
    (await sources.updateSource({ id, jsonPatchOperationV2024 })).data;
  const patched = await patch({ op: "add", path: "/features/-", value: "PASSWORD" });
  expect(patched.features?.includes("PASSWORD"), "the source takes no passwords");
  const { data: tested } = await sources.testSourceConnection({ sourceId: id });
  expect(tested.status === "SUCCESS", `the connection test says ${JSON.stringify(tested)}`);

  await patch({ op: "replace", path: "/aggregation", value: wanted.aggregation });
  await sources.updatePasswordPolicyHolders({ sourceId: id, passwordPolicyHoldersDtoInnerV2024: [{ policyId }] });

  const { data: loading } = await sources.importAccounts({ id });
  const tasks = new TaskManagementV2024Api(administrator);
  const deadline = Date.now() + PATIENCE_MILLISECONDS;
  for (;;) {
    const { data: status } = await tasks.getTaskStatus({ id: loading.task?.id ?? "" });
    if (status.completed) {
      expect(status.completionStatus === "SUCCESS", `reading the accounts ended as ${JSON.stringify(status)}`);
      break;
    }
    expect(Date.now() < deadline, "the accounts were not read in time");
    await sleep(POLL_MILLISECONDS);
  }
  const { data: accounts } = await new AccountsV2024Api(administrator).listAccounts({
    filters: `sourceId eq "${id}"`,
    sorters: "nativeIdentity",
    limit: 250,
  });
  expect(accounts.length === wanted.accounts, `${accounts.length} accounts were read`);
  expect(accounts.every((account) => account.identityId), "an account is nobody's");
  return made;
}

function same(one: string[] | undefined, other: string[]): boolean {
  return JSON.stringify([...(one ?? [])].sort()) === JSON.stringify(other);
}

function expect(holds: unknown, otherwise: string): asserts holds {
  if (!holds) {
    throw new Error(otherwise);
  }
}

run(administer);
