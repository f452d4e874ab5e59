package archtest_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestRepository applies the rules to the repository.
func TestRepository(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	broken, files, err := check("../..")
	require.NoError(t, err)
	require.Greater(t, files, 50, "too few files found")
	used := map[excuse]bool{}
	labels := 0
	for _, v := range broken {
		if v.rule == "label" {
			labels++
		}
		e := excuse{v.file, v.rule}
		if excused[e] == "" {
			t.Error(v)
		}
		used[e] = true
	}
	for e := range excused {
		require.True(t, used[e], "excuse without a violation: %v", e)
	}
	t.Logf("%d labels that do not resolve; %d before there was a rule", labels, labelsBefore)
	t.Logf("%d files in %v", files, time.Since(begin))
}

// TestViolationsAreFound applies the rules to testdata, where each file violates one rule once, and files named ok none.
func TestViolationsAreFound(t *testing.T) {
	t.Parallel()
	want := map[string]string{
		"pkce/layer_policy.go":                 "layer",       // a policy imports another package
		"session/layer_same.go":                "layer",       // L1 imports L1
		"session/layer_up.go":                  "layer",       // L1 imports L2
		"token/layer_same.go":                  "layer",       // L2 imports L2
		"storage/layer_internal.go":            "layer",       // the records import a helper
		"storage/memory/layer_consumer.go":     "layer",       // a store imports its consumer
		"discovery/layer_provider.go":          "layer",       // L2 imports L3
		"internal/seal/layer_up.go":            "layer",       // a helper imports L1
		"newcomer/unplaced.go":                 "unplaced",    // a package without an entry in the table
		"token/third_jwx.go":                   "third-party", // jwx outside internal/jose
		"token/third_jwx_test.go":              "third-party", // also in a test
		"internal/jose/jwx_sign.go":            "jwx",         // an encoder of jwx
		"internal/jose/third_jwk.go":           "third-party", // a package of jwx with encoders
		"token/third_prefix.go":                "third-party", // a path that begins like the module's
		"storage/storagetest/third_testify.go": "third-party", // testify in an importable package
		"examples/demo/third_testify.go":       "third-party", // also in an example
		"token/seal_hmac.go":                   "seal",        // a key of its own
		"token/testing.go":                     "testing",     // test helpers in the library
		"session/clock_call.go":                "clock",
		"session/clock_alias.go":               "clock", // the import renamed
		"session/clock_since.go":               "clock",
		"session/clock_value.go":               "clock",
		"authorize/form.go":                    "form",
		"examples/demo/form.go":                "form",
		"authorize/redirect_302.go":            "redirect",
		"authorize/redirect_307.go":            "redirect",
		"authorize/redirect_308.go":            "redirect",
		"authorize/redirect_number.go":         "redirect",
		"authorize/redirect_header.go":         "redirect",
		"examples/demo/mux.go":                 "mux",
		"logout/template_html.go":              "template",
		"logout/template_js.go":                "template",
		"logout/template_url.go":               "template",
		"token/rand.go":                        "math/rand",
		"examples/demo/rand.go":                "math/rand",
		"token/logging_log.go":                 "logging",
		"token/logging_default.go":             "logging",
		"token/logging_info.go":                "logging",
		"acr/doc_func.go":                      "doc",
		"acr/doc_method.go":                    "doc",
		"acr/doc_method_hidden.go":             "doc", // of a type that is not exported
		"acr/doc_type.go":                      "doc",
		"acr/doc_type_group.go":                "doc",
		"acr/doc_const.go":                     "doc",
		"acr/doc_var.go":                       "doc",
		"acr/doc_field.go":                     "doc",
		"acr/doc_field_group.go":               "doc",
		"acr/doc_interface.go":                 "doc",
		"bench/doc_method_main.go":             "doc", // in a program
		"examples/demo/doc_func.go":            "doc",
		"internal/jose/doc_type.go":            "doc",
		"norway":                               "doc", // no package comment
		"keyset/label_bare.go":                 "label",
		"keyset/label_case_end_test.go":        "label",
		"keyset/label_case_test.go":            "label",
		"keyset/label_chapter.go":              "label",
		"keyset/label_comment_test.go":         "label",
		"keyset/label_dangling_document.go":    "label",
		"keyset/label_dangling_list.go":        "label",
		"keyset/label_dangling_section.go":     "label",
		"keyset/label_dangling_vector.go":      "label",
		"keyset/label_decision.go":             "label",
		"keyset/label_experiment.go":           "label",
		"keyset/label_godoc_document.go":       "label",
		"keyset/label_godoc_field.go":          "label",
		"keyset/label_godoc_method.go":         "label",
		"keyset/label_godoc_section.go":        "label",
		"keyset/label_godoc_threat.go":         "label",
		"keyset/label_godoc_vector.go":         "label",
		"keyset/label_inside_test.go":          "label",
		"keyset/label_numbers_test.go":         "label",
		"keyset/label_package.go":              "label",
		"keyset/label_paragraph.go":            "label",
		"keyset/label_question.go":             "label",
		"keyset/label_row.go":                  "label",
		"keyset/label_section.go":              "label",
		"keyset/label_seed.go":                 "label",
		"keyset/label_suffix_test.go":          "label",
		"docs/label_bare.md":                   "label",
		"docs/label_link.md":                   "label",
		"docs/merge.md":                        "merge",
		"docs/spec/dangling.md":                "label",
	}
	broken, _, err := check("testdata")
	require.NoError(t, err)
	got := map[string]string{}
	for _, v := range broken {
		require.NotContains(t, got, v.file, "twice: %s", v)
		got[v.file] = v.rule
	}
	require.Equal(t, want, got)
}

// TestTableIsCurrent verifies that the packages of the table exist.
func TestTableIsCurrent(t *testing.T) {
	t.Parallel()
	for dir := range layers() {
		require.DirExists(t, "../../"+dir)
	}
}
