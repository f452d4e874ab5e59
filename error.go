package portner

// ErrorCode is the value of the "error" member of an OAuth 2.0 error response.
// It is an error itself, so callers branch with errors.Is(err, portner.InvalidGrant).
type ErrorCode string

// Error returns the code as it stands on the wire.
func (c ErrorCode) Error() string { return string(c) }

// The error codes of the registries this module speaks.
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
)

// Error is a protocol error: everything in it but Err is safe to show to the peer.
//
// Any error that is not an *Error is internal. Endpoints answer it with
// server_error or temporarily_unavailable, without its text.
type Error struct {
	Code ErrorCode // becomes error, and decides the HTTP status
	// Description becomes error_description: one fixed sentence in ASCII without
	// '"' and '\' (RFC 6749 §5.2). Nothing from the request belongs in it.
	Description string
	// URI becomes error_uri.
	URI string
	// Status is the HTTP status of the response. If 0, it follows from Code.
	Status int
	// Header holds further header fields of the response, such as WWW-Authenticate, under their canonical names.
	Header map[string][]string
	// Err is the cause, for errors.Is and the log. It is never sent.
	Err error
}

// Error describes the error without its cause.
func (e *Error) Error() string {
	if e.Description == "" {
		return string(e.Code)
	}
	return string(e.Code) + ": " + e.Description
}

// Unwrap makes both the code and the cause visible to errors.Is and errors.As.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}
