"""One password change and a digit token with `sailpoint` 1.4.2, whose addresses begin with the version (/v2024)."""

from typing import Any

from sailpoint.v2024.api.password_management_api import PasswordManagementApi
from sailpoint.v2024.api_client import ApiClient
from sailpoint.v2024.models.password_change_request import PasswordChangeRequest
from sailpoint.v2024.models.password_digit_token_reset import PasswordDigitTokenReset
from sailpoint.v2024.models.password_info_query_dto import PasswordInfoQueryDTO

import common


class Sdk:
    def __init__(self) -> None:
        self.passwords = PasswordManagementApi(ApiClient(common.configuration()))

    def query(self, user: str, source: str) -> Any:
        return self.passwords.query_password_info(PasswordInfoQueryDTO(userName=user, sourceName=source))

    def set(self, info: Any, account_id: str, ciphertext: str) -> Any:
        return self.passwords.set_password(
            PasswordChangeRequest(
                identityId=info.identity_id,
                encryptedPassword=ciphertext,
                publicKeyId=info.public_key_id,
                accountId=account_id,
                sourceId=info.source_id,
            )
        )

    def status(self, request_id: str) -> Any:
        return self.passwords.get_password_change_status(request_id)

    def digit_token(self, user: str) -> Any:
        return self.passwords.create_digit_token(PasswordDigitTokenReset(userId=user))


if __name__ == "__main__":
    common.main("python 1.4.2 v2024", Sdk)
