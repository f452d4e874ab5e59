package main

import (
	"flag"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestReadme: the configuration in it works in ten lines, and it names what there is.
func TestReadme(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("README.md")
	require.NoError(t, err)
	text := string(data)
	_, block, ok := strings.Cut(text, "```json\n")
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	require.LessOrEqual(t, strings.Count(block, "\n"), 10)
	require.NoError(t, valid(t, compiled(t), block))
	s := start(t, "-config", write(t, block))
	p := newParty(t, s, "my-service", "change-me", "http://localhost:3000/callback", "openid", "profile")
	v := visit(t, s)
	p.exchange(v.login(v.get(p.url()), "kari").left.Query())

	for _, u := range builtinUsers() {
		require.Contains(t, text, "| `"+u.Username+"` | `"+u.Password+"` |")
	}
	var usage syncBuffer
	_, err = parseFlags([]string{"-h"}, &usage)
	require.ErrorIs(t, err, flag.ErrHelp)
	names := regexp.MustCompile(`(?m)^  (-[a-z-]+)`).FindAllStringSubmatch(usage.String(), -1)
	require.Len(t, names, 7)
	for _, n := range names {
		require.Contains(t, text, "`"+n[1], "the flag is not in the README")
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		_, err := os.Stat(m[1])
		require.NoError(t, err, "a link to nowhere")
	}
	_, err = parseFlags([]string{"-demo=false"}, io.Discard)
	require.NoError(t, err)
}
