"""One password change and a digit token with the newest `sailpoint`, whose addresses end in the version (/…/v1)."""

from typing import Any

from sailpoint.password_management.api.password_management_api import PasswordManagementApi
from sailpoint.password_management.api_client import ApiClient
from sailpoint.password_management.models.password_change_request import PasswordChangeRequest
from sailpoint.password_management.models.password_digit_token_reset import PasswordDigitTokenReset
from sailpoint.password_management.models.password_info_query_dto import PasswordInfoQueryDTO

import common


class Sdk:
    def __init__(self) -> None:
        self.passwords = PasswordManagementApi(ApiClient(common.configuration()))

    def query(self, user: str, source: str) -> Any:
        return self.passwords.query_password_info_v1(PasswordInfoQueryDTO(userName=user, sourceName=source))

    def set(self, info: Any, account_id: str, ciphertext: str) -> Any:
        return self.passwords.set_password_v1(
            PasswordChangeRequest(
                identityId=info.identity_id,
                encryptedPassword=ciphertext,
                publicKeyId=info.public_key_id,
                accountId=account_id,
                sourceId=info.source_id,
            )
        )

    def status(self, request_id: str) -> Any:
        return self.passwords.get_password_change_status_v1(request_id)

    def digit_token(self, user: str) -> Any:
        return self.passwords.create_digit_token_v1(PasswordDigitTokenReset(userId=user))


if __name__ == "__main__":
    common.main("python latest v1", Sdk)
