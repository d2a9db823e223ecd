"""A server set up through one line of the Python SDK: from nothing but the administrator's token to a changed password.

The administrator makes a client, a policy, the dictionary, the settings of passwords and of sign-in, two sources, their readings, a sync group and an
application; the new client then does the four operations. The SDK's lines differ in where a module lies and in what
a method is called; the programs beside this file say both.
"""

import json
import os
import time
from types import ModuleType
from typing import Any, Callable, Protocol

import common

PATIENCE_SECONDS = 60


class Line(Protocol):
    """What one line of the SDK is."""

    name: str
    #: What a method's name ends with.
    suffix: str
    #: The four operations as this line offers them, after the variables for the client are set.
    connect: Callable[[], common.Operations]

    def module(self, package: str) -> ModuleType:
        """The module with the classes of a collection."""
        ...


def main(line: Line) -> None:
    """Set everything up, change one password, and print one line of JSON."""
    user = common.setting("LOCKSTEP_TEST_USER")
    password = common.setting("LOCKSTEP_TEST_NEW_PASSWORD")
    source = json.loads(common.setting("LOCKSTEP_TEST_DIRECTORY"))
    table = json.loads(common.setting("LOCKSTEP_TEST_TABLE"))
    try:
        print(json.dumps(administer(line, source, table, user, password)))
    except Exception as error:  # Whatever the SDK raises is the finding; it is told in one piece, with its type.
        common.fail(f"{type(error).__name__}: {error}")


class Administrator:
    """Calls methods and makes models of one line, by their names without suffix and package."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.configuration = common.configuration()

    def api(self, package: str, name: str) -> Callable[..., Any]:
        module = self.line.module(package)
        api = getattr(module, name)(module.ApiClient(self.configuration))
        return lambda method, *values, **named: getattr(api, method + self.line.suffix)(*values, **named)

    def model(self, package: str, name: str, /, **fields: Any) -> Any:
        return getattr(self.line.module(package), name)(**fields)

    def patch(self, package: str, *operations: tuple[str, str, Any]) -> list[Any]:
        """JSON Patch; a value goes through the SDK's own reader, as its class has no constructor for plain values."""
        model = self.line.module(package).JsonPatchOperation
        return [model.from_dict({"op": op, "path": path, "value": value}) for op, path, value in operations]


def administer(line: Line, directory: dict, table: dict, user: str, password: str) -> dict[str, Any]:
    administrator = Administrator(line)
    client = create_client(administrator)

    dictionary = administrator.api("password_dictionary", "PasswordDictionaryApi")
    dictionary("put_password_dictionary", file=("words.txt", b"harbour\nlantern\n"))
    expect("harbour" in dictionary("get_password_dictionary"), "the dictionary lost a word")

    settings = administrator.api("password_configuration", "PasswordConfigurationApi")
    draft = administrator.model("password_configuration", "PasswordOrgConfig", digitTokenEnabled=True, digitTokenLength=8)
    told = settings("put_password_org_config", draft)
    expect((told.digit_token_enabled, told.digit_token_length) == (True, 8), f"the settings are {told}")

    set_sign_in_up(administrator)

    policies = administrator.api("password_policies", "PasswordPoliciesApi")
    draft = administrator.model(
        "password_policies", "PasswordPolicyV3Dto", name="Everybody", minLength=10, minNumeric=1, useDictionary=True
    )
    policy = policies("create_password_policy", draft)
    expect((policy.min_length, policy.use_dictionary) == (10, True), f"the policy is {policy}")

    sources = [create_source(administrator, wanted, policy) for wanted in (directory, table)]

    groups = administrator.api("password_sync_groups", "PasswordSyncGroupsApi")
    draft = administrator.model(
        "password_sync_groups",
        "PasswordSyncGroup",
        name="Work",
        passwordPolicyId=policy.id,
        sourceIds=[source.id for source in sources],
    )
    group = groups("create_password_sync_group", draft)
    expect(sorted(group.source_ids) == sorted(source.id for source in sources), f"the group is {group}")

    apps = administrator.api("apps", "AppsApi")
    account_source = administrator.model("apps", "SourceAppCreateDtoAccountSource", id=sources[1].id, type="SOURCE")
    draft = administrator.model(
        "apps", "SourceAppCreateDto", name="Intranet", description="News and forms", accountSource=account_source
    )
    app = apps("create_source_app", draft)
    expect(app.account_source.id == sources[1].id, f"the application is {app}")

    os.environ["SAIL_CLIENT_ID"], os.environ["SAIL_CLIENT_SECRET"] = client.id, client.secret
    result = common.change(line.name, line.connect(), user, directory["name"], password)
    expect(sorted(result["sourceIds"]) == sorted(source.id for source in sources), "the change went elsewhere")
    return result


def set_sign_in_up(administrator: Administrator) -> None:
    """Where people are trusted, how many wrong tries lock, and how long a session goes on."""
    package = "global_tenant_security_settings"
    security = administrator.api(package, "GlobalTenantSecuritySettingsApi")
    draft = administrator.model(package, "NetworkConfiguration", geolocation=["DE"], whitelisted=True)
    made = security("create_auth_org_network_config", draft)
    expect((made.range, made.geolocation, made.whitelisted) == (None, ["DE"], True), f"the network is {made}")
    patch = administrator.patch(package, ("add", "/geolocation/-", "AT"), ("replace", "/whitelisted", False))
    security("patch_auth_org_network_config", patch)
    told = security("get_auth_org_network_config")
    expect((told.geolocation, told.whitelisted) == (["DE", "AT"], False), f"the network is {told}")

    patch = administrator.patch(package, ("replace", "/maximumAttempts", 7), ("add", "/lockoutDuration", 35))
    security("patch_auth_org_lockout_config", patch)
    told = security("get_auth_org_lockout_config")
    lockout = (told.maximum_attempts, told.lockout_duration, told.lockout_window)
    expect(lockout == (7, 35, 5), f"wrong tries lock by {told}")

    security("patch_auth_org_session_config", administrator.patch(package, ("replace", "/maxSessionTime", 480)))
    told = security("get_auth_org_session_config")
    session = (told.max_idle_time, told.max_session_time, told.remember_me)
    expect(session == (30, 480, False), f"sessions go on by {told}")


def create_client(administrator: Administrator) -> Any:
    clients = administrator.api("oauth_clients", "OAuthClientsApi")
    draft = administrator.model(
        "oauth_clients",
        "CreateOAuthClientRequest",
        name="Reset kiosk",
        description="Changes passwords for people",
        accessTokenValiditySeconds=750,
        grantTypes=["CLIENT_CREDENTIALS"],
        accessType="OFFLINE",
        enabled=True,
    )
    client = clients("create_oauth_client", draft)
    expect(client.secret, "the client came without a secret")
    again = clients("get_oauth_client", client.id)
    expect(again.name == "Reset kiosk" and not again.secret, "the client is told otherwise, or with its secret")
    return client


def create_source(administrator: Administrator, wanted: dict, policy: Any) -> Any:
    """A source that is tested, takes passwords, has a policy, and whose accounts are read."""
    sources = administrator.api("sources", "SourcesApi")
    draft = administrator.model(
        "sources",
        "Source",
        name=wanted["name"],
        owner=None,
        connector=wanted["connector"],
        connectorAttributes=wanted["attributes"],
    )
    made = sources("create_source", draft)
    expect("PASSWORD" not in made.features, "a new source takes passwords before anybody said so")
    expect("password" not in made.connector_attributes, "a source tells its secret")
    patched = sources("update_source", made.id, administrator.patch("sources", ("add", "/features/-", "PASSWORD")))
    expect("PASSWORD" in patched.features, "the source takes no passwords")
    tested = sources("test_source_connection", made.id)
    expect(tested.status == "SUCCESS", f"the connection test says {tested}")

    sources("update_source", made.id, administrator.patch("sources", ("replace", "/aggregation", wanted["aggregation"])))
    holder = administrator.model("sources", "PasswordPolicyHoldersDtoInner", policyId=policy.id)
    sources("update_password_policy_holders", made.id, [holder])

    tasks = administrator.api("task_management", "TaskManagementApi")
    task = sources("import_accounts", made.id).task
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (status := tasks("get_task_status", task.id)).completed is None:
        expect(time.monotonic() < deadline, "the accounts were not read in time")
        time.sleep(0.2)
    expect(status.completion_status == "SUCCESS", f"reading the accounts ended as {status}")
    accounts = administrator.api("accounts", "AccountsApi")
    read = accounts("list_accounts", filters=f'sourceId eq "{made.id}"', sorters="nativeIdentity", limit=250)
    expect(len(read) == wanted["accounts"], f"{len(read)} accounts were read")
    expect(all(account.identity_id for account in read), "an account is nobody's")
    return made


def expect(holds: Any, otherwise: str) -> None:
    if not holds:
        common.fail(otherwise)
