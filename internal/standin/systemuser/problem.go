package systemuser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// problem is an error of Altinn, with the body of RFC 9457.
type problem struct {
	Type   string            `json:"type"`
	Title  string            `json:"title"`
	Status int               `json:"status"`
	Detail string            `json:"detail,omitempty"`
	Code   string            `json:"code,omitempty"`
	Errors []validationError `json:"validationErrors,omitempty"`
	Model  map[string]any    `json:"errors,omitempty"`

	reason    string // for the log
	challenge string // value of WWW-Authenticate; "" for none
}

// Error returns the reason.
func (p *problem) Error() string { return "systemuser: " + p.reason }

// coded returns the problem of Altinn with a number.
func coded(number, status int, reason, title string) *problem {
	code := fmt.Sprintf("AUTH-%05d", number)
	return &problem{Type: "urn:altinn:error:" + code, Title: title, Status: status, Code: code, reason: reason}
}

// Problems with a code (docs/spec/altinn.md §3.11).
var (
	errParty         = coded(0, http.StatusBadRequest, "party_unknown", "Can't resolve the Organisation Number from the logged in Reportee PartyId.")
	errRights        = coded(1, http.StatusBadRequest, "rights_unknown", "One or more Right not found or not delegable.")
	errUserExists    = coded(4, http.StatusBadRequest, "system_user_exists", "Failed to create new SystemUser, existing SystemUser tied to the given System-Id.")
	errRejected      = coded(9, http.StatusBadRequest, "request_rejected", "The combination of External Ids refer to a Rejected Request, please delete and renew the Request.")
	errRequest       = coded(10, http.StatusNotFound, "request_unknown", "The Id does not refer to a Request in our system.")
	errSystem        = coded(11, http.StatusNotFound, "system_unknown", "The Id does not refer to a Registered System.")
	errNotNew        = coded(13, http.StatusConflict, "request_answered", "The Status of the Request is not New.")
	errUser          = coded(15, http.StatusNotFound, "system_user_unknown", "The SystemUser was not found.")
	errRedirectURL   = coded(21, http.StatusBadRequest, "redirect_url_unknown", "The RedirectUri was not found or not valid.")
	errNotOwned      = coded(24, http.StatusForbidden, "system_user_not_owned", "you don't have rights to delete this systemuser")
	errNoRedirects   = coded(26, http.StatusBadRequest, "redirect_urls_missing", "No redirect uris are set for the system")
	errPartyMismatch = coded(41, http.StatusForbidden, "party_mismatch", "Party does not match request's orgno")
	errNoRights      = coded(59, http.StatusBadRequest, "rights_missing", "No AccessPackages or Single Rights found, a SystemUser must have at least one")
	errPackages      = coded(63, http.StatusBadRequest, "access_package_unknown", "One or more accesspackage is not found in the referenced system in the System Register.")
)

// bare returns the error of a status without a code.
func bare(status int, reason string) *problem {
	return &problem{Title: http.StatusText(status), Status: status, reason: reason}
}

// texted returns an error whose body is a JSON string.
func texted(status int, reason, text string) *problem {
	return &problem{Status: status, Detail: text, reason: reason}
}

// Errors without a code. 401 and 403 have no body.
var (
	errForbidden  = bare(http.StatusForbidden, "vendor_mismatch")
	errNotManager = bare(http.StatusForbidden, "access_manager_missing")
	errNoUser     = bare(http.StatusForbidden, "user_missing")
	errNotFound   = bare(http.StatusNotFound, "path_unknown")
	errMethod     = bare(http.StatusMethodNotAllowed, "method_not_allowed")
	errTooLarge   = bare(http.StatusRequestEntityTooLarge, "request_too_large")
	errDeleted    = texted(http.StatusBadRequest, "system_deleted", "Cannot update a system marked as deleted.")
)

// validationError is an element of the problem of a body.
type validationError struct {
	Code  string   `json:"code"`
	Title string   `json:"title"`
	Paths []string `json:"paths"`

	member string // of a system
}

func invalid(number int, member, path, title string) validationError {
	return validationError{fmt.Sprintf("AUTH.VLD-%05d", number), title, []string{"/registersystemrequest/" + path}, member}
}

// Validation errors of a system.
var (
	errVendor         = invalid(0, "vendor.ID", "vendor/id", "the org number identifier is not valid ISO6523 identifier")
	errSystemFormat   = invalid(1, "id", "systemid", "The system id does not match the format orgnumber_xxxx...")
	errSystemExists   = invalid(2, "id", "systemid", "The system id already exists")
	errClientTaken    = invalid(4, "clientId", "clientid", "One of the client id is already tagged with an existing system")
	errRedirect       = invalid(5, "allowedRedirectUrls", "allowedredirecturls", "One or more of the redirect urls format is not valid. The valid format is https://xxx.xx")
	errRightTwice     = invalid(6, "rights", "rights/resource", "One or more duplicate rights found")
	errPackageTwice   = invalid(7, "accessPackages", "accesspackages", "One or more duplicate access package(s) found")
	errPackage        = invalid(8, "accessPackages", "accesspackages", "One or all the accesspackage(s) is not found in altinn's access packages or is not delegable")
	errResourceFormat = invalid(9, "rights", "rights/resource", "One or more resource id is in wrong format. The valid format is urn:altinn:resource")
	errClientTwice    = invalid(11, "clientId", "clientid", "Request contains duplicate client ids")
	errSystemMismatch = invalid(12, "id", "systemid", "The system ID in the request body does not match the system ID in the URL")
	errSystemSpaces   = invalid(13, "id", "systemid", "System ID cannot have spaces in id (leading, trailing or in between the id)")
	// errName has no number at Altinn, which needs the name at the approval (AUTH-00017).
	errName = validationError{"STD.VLD-00000", "The field is required.", []string{"/registersystemrequest/name"}, "name"}
)

// invalidBody returns the problem of validation errors, nil without.
func invalidBody(errs []validationError) error {
	if len(errs) == 0 {
		return nil
	}
	const code = "STD-00000"
	return &problem{
		Type: "urn:altinn:error:" + code, Title: "One or more validation errors occurred.", Status: http.StatusBadRequest, Code: code, Errors: errs,
		reason: "system_invalid",
	}
}

// malformed returns the problem of a body that cannot be read. at is the member.
func malformed(at, text string) error {
	return invalidModel("body_malformed", map[string]any{at: []string{text}})
}

// invalidParameters returns the problem of parameters of the query. found has the texts of each.
func invalidParameters(found map[string]any) error { return invalidModel("parameters_invalid", found) }

func invalidModel(reason string, found map[string]any) *problem {
	return &problem{
		Type: "https://tools.ietf.org/html/rfc9110#section-15.5.1", Title: "One or more validation errors occurred.", Status: http.StatusBadRequest,
		Model: found, reason: reason,
	}
}

// body returns the body of the response and its type.
func (p *problem) body() (text []byte, contentType string) {
	switch {
	case p.Code == "" && p.Model == nil && (p.Status == http.StatusUnauthorized || p.Status == http.StatusForbidden):
		return nil, ""
	case p.Title == "":
		text, _ = json.Marshal(p.Detail)
		return text, "application/json; charset=utf-8"
	}
	doc := *p
	if doc.Type == "" {
		doc.Type = "https://tools.ietf.org/html/rfc9110#section-15.5." + strconv.Itoa(doc.Status-399)
	}
	text, _ = json.Marshal(doc)
	return text, "application/problem+json; charset=utf-8"
}
