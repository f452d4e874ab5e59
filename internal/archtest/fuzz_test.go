package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fuzzed holds the parsers of what comes from the network or from a file, with the fuzz targets of their properties: DIR.NAME or DIR.TYPE.NAME
// of a function, and DIR.TARGET.
var fuzzed = map[string]string{
	"authorize.parseClaims":                            "authorize.FuzzClaims",
	"client.Client.UnmarshalJSON":                      "client.FuzzParse",
	"client.Parse":                                     "client.FuzzParse",
	"client.decode":                                    "client.FuzzParse",
	"client.decodeObject":                              "client.FuzzParse",
	"client.decodeValue":                               "client.FuzzParse",
	"client.decodeList":                                "client.FuzzParse",
	"client.ParseForm":                                 "internal/httpx.FuzzParse",
	"client.decodeBMP":                                 "client.FuzzSubjectDER",
	"client.decodeBasic":                               "client.FuzzBasic",
	"client.parseDN":                                   "client.FuzzParseDN",
	"client.parseItem":                                 "client.FuzzCertificateFromHeader",
	"client/businesscert.parse":                        "client/businesscert.FuzzVerify",
	"client/businesscert.parseList":                    "client/businesscert.FuzzCRL",
	"client/businesscert.parseLists":                   "client/businesscert.FuzzCRL",
	"digdir/maskinporten.parseConsent":                 "digdir/maskinporten.FuzzPayload",
	"digdir/maskinporten.parseSystemUser":              "digdir/maskinporten.FuzzPayload",
	"internal/httpx.Parse":                             "internal/httpx.FuzzParse",
	"internal/httpx.ParseQuery":                        "internal/httpx.FuzzParse",
	"internal/jose.ParseHeader":                        "internal/jose.FuzzHeader",
	"internal/jose.ParseJWKS":                          "internal/jose.FuzzJWKS",
	"internal/jose.ParseObject":                        "internal/jose.FuzzObject",
	"internal/jose.decode":                             "internal/jose.FuzzVerify",
	"internal/jose.decodeAll":                          "internal/jose.FuzzVerify",
	"internal/jose.parseHeader":                        "internal/jose.FuzzHeader",
	"internal/jose.parseJWK":                           "internal/jose.FuzzJWKS",
	"internal/jose.parseObject":                        "internal/jose.FuzzObject",
	"internal/record.DecodeAccess":                     "internal/record.FuzzDecode",
	"internal/record.DecodeCode":                       "internal/record.FuzzDecode",
	"internal/record.DecodeGrant":                      "internal/record.FuzzDecode",
	"internal/record.DecodeSession":                    "internal/record.FuzzDecode",
	"internal/requested.Decode":                        "internal/requested.FuzzDecode",
	"internal/standin.ClientEntry.UnmarshalJSON":       "internal/standin.FuzzConfig",
	"internal/standin.decode":                          "internal/standin.FuzzConfig",
	"internal/standin.decodeConfig":                    "internal/standin.FuzzConfig",
	"internal/standin.ParseConfig":                     "internal/standin.FuzzConfig",
	"internal/standin/admin.parseEntry":                "internal/standin/admin.FuzzBody",
	"internal/standin/altinn.ParseConfig":              "internal/standin.FuzzConfig",
	"internal/standin/altinn.parseConfig":              "internal/standin.FuzzConfig",
	"internal/standin/ansattporten.ParseConfig":        "internal/standin.FuzzConfig",
	"internal/standin/ansattporten.parseConfig":        "internal/standin.FuzzConfig",
	"internal/standin/changes.ParseEntry":              "internal/standin/admin.FuzzBody",
	"internal/standin/compat.Parse":                    "internal/standin/compat.FuzzParse",
	"internal/standin/compat.decode":                   "internal/standin/compat.FuzzParse",
	"internal/standin/compat.httpServer.UnmarshalJSON": "internal/standin/compat.FuzzParse",
	"internal/standin/compat.parseJWK":                 "internal/standin/compat.FuzzParse",
	"internal/standin/helseid.ParseConfig":             "internal/standin.FuzzConfig",
	"internal/standin/helseid.parseConfig":             "internal/standin.FuzzConfig",
	"internal/standin/idporten.ParseConfig":            "internal/standin.FuzzConfig",
	"internal/standin/idporten.parseConfig":            "internal/standin.FuzzConfig",
	"internal/standin/krr.ParseConfig":                 "internal/standin.FuzzConfig",
	"internal/standin/maskinporten.ParseConfig":        "internal/standin.FuzzConfig",
	"internal/standin/maskinporten.parseConfig":        "internal/standin.FuzzConfig",
	"internal/standin/strictjson.Decode":               "internal/standin/strictjson.FuzzDecode",
	"internal/standin/strictjson.DecodeKnown":          "internal/standin/strictjson.FuzzDecode",
	"internal/standin/systemuser.call.decode":          "internal/standin/systemuser.FuzzBody",
	"keyset.ParsePEM":                                  "keyset.FuzzParsePEM",
	"keyset.parseDER":                                  "keyset.FuzzParsePEM",
	"keyset.parseKeyFile":                              "keyset.FuzzKeyFile",
	"keyset.parsePEM":                                  "keyset.FuzzParsePEM",
	"logout.Endpoint.parse":                            "logout.FuzzRequest",
	"norway.ParseOrgno":                                "norway.FuzzIdentifierNumber",
	"norway.ParsePID":                                  "norway.FuzzParsePID",
	"pkce.decodeChallenge":                             "pkce.FuzzVerify",
	"rar.Registry.Parse":                               "rar.FuzzParse",
	"scope.Parse":                                      "scope.FuzzParse",
	"scope.Scope.UnmarshalJSON":                        "scope.FuzzScopeJSON",
	"scope.stringOrList.UnmarshalJSON":                 "scope.FuzzScopeJSON",
	"session.decodeIdentity":                           "session.FuzzIdentity",
	"storage/memory.accessText.decode":                 "storage/memory.FuzzRecords",
	"storage/memory.codeText.decode":                   "storage/memory.FuzzRecords",
	"storage/memory.grantText.decode":                  "storage/memory.FuzzRecords",
	"storage/memory.sessionText.decode":                "storage/memory.FuzzRecords",
}

// fuzzedElse holds the targets of what has another name than a parser, with what they read.
var fuzzedElse = map[string]string{
	"acr.FuzzSatisfies":                      "values of acr",
	"authorize.FuzzErrorPage":                "parameters of an authorization request",
	"authorize.FuzzFormPost":                 "parameters of a response",
	"authorize.FuzzRedirectURI":              "redirect_uri",
	"authorize.FuzzSealed":                   "pending requests",
	"authorize.FuzzSignedResponse":           "parameters of a signed response",
	"authorize.FuzzState":                    "state",
	"client.FuzzAssertion":                   "client assertions",
	"client.FuzzAssertionX5C":                "the x5c of client assertions",
	"client.FuzzCheckURI":                    "redirect URIs of registrations",
	"client.FuzzMatchRedirectURI":            "redirect_uri",
	"client.FuzzPlainURI":                    "redirect URIs of registrations",
	"client.FuzzSubjectDN":                   "the subject of a certificate",
	"digdir/altinn.FuzzBearer":               "the Authorization header field of an exchange",
	"digdir/altinn.FuzzClaims":               "claims of tokens to exchange",
	"digdir/ansattporten.FuzzDetails":        "authorization_details of the types",
	"digdir/maskinporten.FuzzAssertion":      "assertions",
	"dpop.FuzzHTU":                           "htu",
	"dpop.FuzzNonce":                         "nonces of proofs",
	"dpop.FuzzProof":                         "proofs",
	"internal/audit.FuzzReceived":            "values of rejected requests in a log",
	"internal/bound.FuzzThumbprint":          "thumbprints of certificates and keys",
	"internal/display.FuzzProblem":           "names for pages",
	"internal/httpx.FuzzAppendQuery":         "parameters of a redirect",
	"internal/httpx.FuzzCleanPath":           "paths",
	"internal/httpx.FuzzCookieName":          "Cookie header fields",
	"internal/httpx.FuzzLocale":              "ui_locales and Accept-Language",
	"internal/jose.FuzzNumericDate":          "times in JWTs",
	"internal/jose.FuzzPurpose":              "typ and claims of JWTs",
	"internal/seal.FuzzOpen":                 "sealed values",
	"internal/standin/idporten.FuzzMarkdown": "texts of consents",
	"logout.FuzzReturn":                      "post_logout_redirect_uri",
	"pseudonym.FuzzLeaks":                    "claims of the host",
	"rar.FuzzNarrow":                         "authorization_details of a token request",
	"resource.FuzzClaims":                    "claims of access tokens",
	"resource.FuzzFields":                    "header fields of a request to an API",
	"resource.FuzzVerify":                    "access tokens",
	"scope.FuzzEvaluate":                     "scopes of a request",
	"storage/postgres.FuzzText":              "texts for a database",
	"token.FuzzBearer":                       "the Authorization header field of userinfo",
	"token.FuzzTokenForm":                    "token requests",
	"token.FuzzMembers":                      "the claims of tokens, as they are written",
	"token.FuzzResponse":                     "token responses, as they are written",
}

// notFuzzed holds the functions with the name of a parser that read nothing from the network or from a file, with the reason.
var notFuzzed = map[string]string{
	"client.parseAddr":                               "net/netip parses the address of the connection",
	"internal/standin.Command.Parse":                 "arguments of a program",
	"internal/standin.ParseArgs":                     "arguments of a program",
	"internal/standin.ParseFlags":                    "arguments of a program",
	"internal/standin.parseBool":                     "arguments of a program",
	"internal/standin.Pages.Parse":                   "templates of the program",
	"internal/standin.State.parseSecrets":            "a file that the program itself made, decoded by strictjson",
	"internal/standin/compat.ParseSwitches":          "arguments of a program: one name of a list",
	"internal/standin/maskinporten.decodeSystemUser": "the response of the own Altinn stand-in, decoded by encoding/json",
	"portnertest.decode":                             "a token that the provider of the test signed",
	"rar.decode":                                     "details that Registry.Parse accepted",
	"storage/redis.decodeGrant":                      "what the store wrote; texts are decoded by internal/record",
	"storage/redis.decodeLogin":                      "what the store wrote",
	"storage/redis.decodeSession":                    "what the store wrote; texts are decoded by internal/record",
	"storage/redis.decodeSigningKey":                 "what the store wrote",
	"storage/redis.parseInstant":                     "what the store wrote",
	"storage/redis.parseName":                        "what the store wrote",
}

var (
	parserName = regexp.MustCompile(`^([pP]arse|[dD]ecode|Unmarshal)`)
	targetName = regexp.MustCompile(`^Fuzz[A-Z]`)
)

// unfuzzed are the directories whose parsers read what tests and experiments made.
var unfuzzed = []string{"bench", "examples", "internal/archtest", "internal/callers", "internal/canary", "internal/explore", "internal/history", "internal/optest", "reliability", "storage/storagetest"}

// parsersAndTargets returns the functions with the name of a parser, and the fuzz targets, of the files below root.
func parsersAndTargets(t *testing.T, root string) (parsers, targets []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "testdata" || d.Name() == "internal" && strings.HasSuffix(path, "postgres/internal")) {
			return cmpSkip(err)
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		test := strings.HasSuffix(path, "_test.go")
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			switch {
			case !ok:
			case test && f.Recv == nil && targetName.MatchString(f.Name.Name):
				targets = append(targets, dir+"."+f.Name.Name)
			case !test && parserName.MatchString(f.Name.Name) && !slices.ContainsFunc(unfuzzed, func(u string) bool { return under(dir, u) }):
				parsers = append(parsers, dir+"."+receiver(f)+f.Name.Name)
			}
		}
		return nil
	}))
	return parsers, targets
}

// receiver returns the name of the type of a method and a dot.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if index, ok := typ.(*ast.IndexExpr); ok {
		typ = index.X
	}
	return text(typ) + "."
}

// TestParsersAreFuzzed: every parser is in the list with a fuzz target that exists, or with a reason, and every target is in the list.
func TestParsersAreFuzzed(t *testing.T) {
	t.Parallel()
	parsers, targets := parsersAndTargets(t, "../..")
	listed := map[string]bool{}
	for name, target := range fuzzed {
		require.Contains(t, parsers, name, "the parser does not exist")
		require.Contains(t, targets, target, "%s: the target does not exist", name)
		listed[target] = true
	}
	for name := range notFuzzed {
		require.Contains(t, parsers, name, "the function does not exist")
	}
	for target := range fuzzedElse {
		require.Contains(t, targets, target, "the target does not exist")
		listed[target] = true
	}
	parsers = slices.DeleteFunc(parsers, func(name string) bool { return fuzzed[name] != "" || notFuzzed[name] != "" })
	require.Empty(t, parsers, "parsers without a fuzz target or a reason in the list")
	targets = slices.DeleteFunc(targets, func(target string) bool { return listed[target] })
	require.Empty(t, targets, "targets that are not in the list")
}
