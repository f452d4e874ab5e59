package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/portner-go/portner/examples/internal/configtest"
	"github.com/portner-go/portner/internal/standin/idporten"
)

// TestReadme starts the configuration of the README and checks that the README names the users and flags.
func TestReadme(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("README.md")
	require.NoError(t, err)
	text := string(data)
	_, block, ok := strings.Cut(text, "```json\n")
	require.True(t, ok)
	block, _, _ = strings.Cut(block, "```")
	require.LessOrEqual(t, strings.Count(block, "\n"), 10)
	require.NoError(t, configtest.Load(t, "idporten").Validate(t, block))
	s := start(t, "-config", write(t, block))
	p := newParty(t, s, "my-service", "Wm5rT0yHq3ZkBv8nDs6LgXc2PjUa9EfR", "http://localhost:3000/callback", "openid", "profile")
	v := visit(t, s)
	p.exchange(v.login(v.get(p.url()), "kari").left.Query())

	for _, u := range idporten.BuiltinUsers() {
		require.Contains(t, text, "| `"+u.Username+"` | `"+u.Password+"` |")
	}
	var usage syncBuffer
	require.Equal(t, 0, run(t.Context(), []string{"-h"}, &usage, io.Discard))
	names := regexp.MustCompile(`(?m)^  (-[a-z-]+)`).FindAllStringSubmatch(usage.String(), -1)
	require.Len(t, names, 20)
	for _, n := range names {
		require.Contains(t, text, "`"+n[1], "the flag is not in the README")
	}
	for _, m := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(text, -1) {
		_, err := os.Stat(m[1])
		require.NoError(t, err, "a link to nowhere")
	}
}

// curl is a command of the transcript in the root README, which has no quotes.
type curl struct {
	url, user, password string
	form                url.Values
}

func curls(t *testing.T) (commands []curl) {
	t.Helper()
	data, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	text := strings.ReplaceAll(string(data), " \\\n", " ")
	for _, line := range regexp.MustCompile(`(?m)^\$ curl (.*)$`).FindAllStringSubmatch(text, -1) {
		require.NotContains(t, line[1], "'")
		c := curl{form: url.Values{}}
		words := strings.Fields(strings.TrimSuffix(line[1], " | grep Location"))
		for i, w := range words {
			switch {
			case strings.HasPrefix(w, "http://localhost:8080/") && words[max(i-1, 0)] != "-d":
				c.url = strings.TrimPrefix(w, "http://localhost:8080")
			case w == "-u":
				c.user, c.password, _ = strings.Cut(words[i+1], ":")
			case w == "-d":
				name, value, _ := strings.Cut(words[i+1], "=")
				c.form.Set(name, strings.ReplaceAll(value, "+", " "))
			}
		}
		commands = append(commands, c)
	}
	return commands
}

// TestTranscript sends the commands of the root README and compares the responses.
func TestTranscript(t *testing.T) {
	t.Parallel()
	commands := curls(t)
	require.Len(t, commands, 2)
	s := start(t, "-config", "../../docs/idporten-config.example.json", "-demo=false")
	base := "http://" + s.Sites[0].Hosts[0]
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

	resp, err := stay.Get(base + commands[0].url + "?" + commands[0].form.Encode())
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	back, err := resp.Location()
	require.NoError(t, err)
	require.Regexp(t, `^http://localhost:3000/callback\?code=[\w-]{43}&state=xyz&iss=http%3A%2F%2Flocalhost%3A8080$`, back.String())

	require.True(t, commands[1].form.Has("code"))
	commands[1].form.Set("code", back.Query().Get("code"))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+commands[1].url, strings.NewReader(commands[1].form.Encode()))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(commands[1].user, commands[1].password)
	resp, err = stay.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Regexp(t, `^{"access_token":"eyJhbGciOi[^"]*","token_type":"Bearer","expires_in":300,"id_token":"eyJhbGciOi[^"]*",`+
		`"refresh_token":"[^"]*","refresh_token_expires_in":1800,"scope":"openid profile"}$`, strings.TrimSpace(string(body)))
}
