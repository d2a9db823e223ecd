// Changes one password with the official Go SDK, and asks for a digit token.
//
// It is a test of the server, not an example of its use: it takes the SDK as it is published, reads the SDK's own
// three variables and the LOCKSTEP_TEST_ ones, prints one line of JSON, and says in one sentence what went wrong.
package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"time"

	sailpoint "github.com/sailpoint-oss/golang-sdk/v2"
	v2024 "github.com/sailpoint-oss/golang-sdk/v2/api_v2024"
)

// How long a change may stay in progress before the test gives up.
const patience = 60 * time.Second

var digits = regexp.MustCompile(`^[0-9]{6,18}$`)

type result struct {
	SDK        string   `json:"sdk"`
	IdentityID string   `json:"identityId"`
	AccountID  string   `json:"accountId"`
	Policies   []string `json:"policies"`
	RequestID  string   `json:"requestId"`
	State      string   `json:"state"`
	SourceIDs  []string `json:"sourceIds"`
	TokenID    string   `json:"tokenRequestId"`
}

func main() {
	outcome, err := run(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, "sdk-go:", err)
		os.Exit(1)
	}
	line, err := json.Marshal(outcome)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sdk-go: the result is not JSON:", err)
		os.Exit(1)
	}
	fmt.Println(string(line))
}

func run(ctx context.Context) (*result, error) {
	user, source, password, err := settings()
	if err != nil {
		return nil, err
	}
	configuration := sailpoint.NewDefaultConfiguration()
	configuration.Experimental = true
	passwords := sailpoint.NewAPIClient(configuration).V2024.PasswordManagementAPI

	query := v2024.PasswordInfoQueryDTO{UserName: &user, SourceName: &source}
	info, response, err := passwords.QueryPasswordInfo(ctx).PasswordInfoQueryDTO(query).Execute()
	if err != nil {
		return nil, failure("query-password-info", response, err)
	}
	if len(info.Accounts) != 1 {
		return nil, fmt.Errorf("query-password-info names %d accounts, expected one", len(info.Accounts))
	}
	account := info.Accounts[0].GetAccountId()

	ciphertext, err := encrypt(info.GetPublicKey(), password)
	if err != nil {
		return nil, err
	}
	change := v2024.PasswordChangeRequest{
		IdentityId:        info.IdentityId,
		EncryptedPassword: &ciphertext,
		PublicKeyId:       info.PublicKeyId,
		AccountId:         &account,
		SourceId:          info.SourceId,
	}
	accepted, response, err := passwords.SetPassword(ctx).PasswordChangeRequest(change).Execute()
	if err != nil {
		return nil, failure("set-password", response, err)
	}
	if accepted.GetRequestId() == "" {
		return nil, errors.New("set-password answered without a requestId")
	}

	status, err := await(ctx, passwords, accepted.GetRequestId())
	if err != nil {
		return nil, err
	}

	reset := v2024.PasswordDigitTokenReset{UserId: user}
	token, response, err := passwords.CreateDigitToken(ctx).PasswordDigitTokenReset(reset).Execute()
	if err != nil {
		return nil, failure("generate-password-reset-token", response, err)
	}
	if !digits.MatchString(token.GetDigitToken()) {
		return nil, errors.New("the digit token is not a string of 6 to 18 digits")
	}
	if token.GetRequestId() == "" {
		return nil, errors.New("the digit token came without a requestId")
	}

	return &result{
		SDK:        "go v2.7.106 v2024",
		IdentityID: info.GetIdentityId(),
		AccountID:  account,
		Policies:   info.GetPolicies(),
		RequestID:  accepted.GetRequestId(),
		State:      status.GetState(),
		SourceIDs:  status.GetSourceIds(),
		TokenID:    token.GetRequestId(),
	}, nil
}

func settings() (user, source, password string, err error) {
	values := map[string]string{}
	for _, name := range []string{
		"SAIL_BASE_URL", "SAIL_CLIENT_ID", "SAIL_CLIENT_SECRET",
		"LOCKSTEP_TEST_USER", "LOCKSTEP_TEST_SOURCE", "LOCKSTEP_TEST_NEW_PASSWORD",
	} {
		if values[name] = os.Getenv(name); values[name] == "" {
			return "", "", "", fmt.Errorf("%s is not set", name)
		}
	}
	return values["LOCKSTEP_TEST_USER"], values["LOCKSTEP_TEST_SOURCE"], values["LOCKSTEP_TEST_NEW_PASSWORD"], nil
}

// encrypt takes the key as the server sends it: base64 of the DER SubjectPublicKeyInfo.
func encrypt(publicKey, password string) (string, error) {
	der, err := base64.StdEncoding.DecodeString(publicKey)
	if err != nil {
		return "", fmt.Errorf("publicKey is not base64: %w", err)
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return "", fmt.Errorf("publicKey is not a SubjectPublicKeyInfo: %w", err)
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return "", fmt.Errorf("publicKey is a %T, expected an RSA key", parsed)
	}
	ciphertext, err := rsa.EncryptPKCS1v15(rand.Reader, key, []byte(password))
	if err != nil {
		return "", fmt.Errorf("encrypting the password: %w", err)
	}
	return base64.StdEncoding.EncodeToString(ciphertext), nil
}

func await(ctx context.Context, passwords *v2024.PasswordManagementAPIService, id string) (*v2024.PasswordStatus, error) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		status, response, err := passwords.GetPasswordChangeStatus(ctx, id).Execute()
		if err != nil {
			return nil, failure("password-change-status", response, err)
		}
		switch status.GetState() {
		case "IN_PROGRESS":
			continue
		case "FINISHED":
			return status, nil
		default:
			return nil, fmt.Errorf("the change ended as %q: %q", status.GetState(), status.GetErrors())
		}
	}
	return nil, fmt.Errorf("the change was still in progress after %s", patience)
}

func failure(operation string, response *http.Response, err error) error {
	if response == nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	var described interface{ Body() []byte }
	if errors.As(err, &described) {
		return fmt.Errorf("%s: %w: %s", operation, err, described.Body())
	}
	return fmt.Errorf("%s: %w", operation, err)
}
