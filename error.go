package portner

// ErrorCode is the value of the member error of an OAuth 2.0 error response. It is an error: compare with
// errors.Is(err, portner.InvalidGrant).
type ErrorCode string

// Error returns the code.
func (c ErrorCode) Error() string { return string(c) }

// Error codes of the protocols that this module implements.
const (
	// RFC 6749 §4.1.2.1 and §5.2.
	InvalidRequest          ErrorCode = "invalid_request"
	InvalidClient           ErrorCode = "invalid_client"
	InvalidGrant            ErrorCode = "invalid_grant"
	UnauthorizedClient      ErrorCode = "unauthorized_client"
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"
	UnsupportedResponseType ErrorCode = "unsupported_response_type"
	InvalidScope            ErrorCode = "invalid_scope"
	AccessDenied            ErrorCode = "access_denied"
	ServerError             ErrorCode = "server_error"
	TemporarilyUnavailable  ErrorCode = "temporarily_unavailable"

	// OIDC Core §3.1.2.6.
	LoginRequired            ErrorCode = "login_required"
	InteractionRequired      ErrorCode = "interaction_required"
	ConsentRequired          ErrorCode = "consent_required"
	AccountSelectionRequired ErrorCode = "account_selection_required"
	InvalidRequestURI        ErrorCode = "invalid_request_uri"
	InvalidRequestObject     ErrorCode = "invalid_request_object"
	RequestNotSupported      ErrorCode = "request_not_supported"
	RequestURINotSupported   ErrorCode = "request_uri_not_supported"

	// RFC 6750 §3.1.
	InvalidToken      ErrorCode = "invalid_token"
	InsufficientScope ErrorCode = "insufficient_scope"

	// OpenID Connect Core Unmet Authentication Requirements 1.0 §2.
	UnmetAuthenticationRequirements ErrorCode = "unmet_authentication_requirements"

	// docs.digdir.no: Maskinporten error codes. The status is 403.
	Forbidden ErrorCode = "forbidden"

	// RFC 9470 §3.
	InsufficientUserAuthentication ErrorCode = "insufficient_user_authentication"

	// RFC 7009 §2.2.1, RFC 8707 §2, RFC 9396 §5.
	UnsupportedTokenType        ErrorCode = "unsupported_token_type"
	InvalidTarget               ErrorCode = "invalid_target"
	InvalidAuthorizationDetails ErrorCode = "invalid_authorization_details"

	// RFC 9449 §5 and §8.
	InvalidDPoPProof ErrorCode = "invalid_dpop_proof"
	UseDPoPNonce     ErrorCode = "use_dpop_nonce"
)

// Error is a protocol error. Every field except Err is safe to send to the peer.
//
// An error that is not an *Error is a fault. Endpoints respond to it with server_error or temporarily_unavailable, without its
// text.
type Error struct {
	Code ErrorCode // the member error
	// Description is the member error_description: one fixed ASCII sentence without '"' and '\' (RFC 6749 §5.2), and without
	// text from the request.
	Description string
	URI         string // the member error_uri, "" for none
	// Status is the HTTP status of the response. If 0, it follows from Err and Code: see HTTPStatus.
	Status int
	// Header holds further header fields of the response, such as WWW-Authenticate, under their canonical names.
	Header map[string][]string
	// Err is the cause, for errors.Is and the log. Its text is never sent.
	Err error
}

// Error describes the error without its cause.
func (e *Error) Error() string {
	if e.Description == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Description
}

// Unwrap returns the code, and the cause if there is one.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}
