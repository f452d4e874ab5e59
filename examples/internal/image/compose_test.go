//go:build linux

package main

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/portner-go/portner/examples/internal/child"
)

// The tests of docs/compose.md run each of its containers as a process with the files of the image as its root, under the host names of the
// document, and log in with the settings that the document gives to applications.

// block is a code block of the document.
type block struct{ heading, language, text string }

// blocks returns the code blocks of the document.
func blocks(t *testing.T) (list []block) {
	t.Helper()
	root, err := child.Repository()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "compose.md"))
	require.NoError(t, err)
	var b *block
	heading := ""
	for line := range strings.Lines(string(text)) {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case isFence && b == nil:
			b = &block{heading: heading, language: strings.TrimSpace(fence)}
		case isFence:
			list, b = append(list, *b), nil
		case b != nil:
			b.text += line
		case strings.HasPrefix(line, "#"):
			heading = strings.TrimSpace(strings.TrimLeft(line, "#"))
		}
	}
	require.Nil(t, b, "every block ends")
	return list
}

// blockOf returns the nth block below a heading.
func blockOf(t *testing.T, heading string, n int) block {
	t.Helper()
	for _, b := range blocks(t) {
		if b.heading == heading {
			if n == 0 {
				return b
			}
			n--
		}
	}
	t.Fatalf("docs/compose.md has no such block below %q", heading)
	return block{}
}

// composed returns the containers of a compose file.
func composed(t *testing.T, text string) (list []container) {
	t.Helper()
	var file struct {
		Services map[string]struct {
			Image   string
			Command []string
			Ports   []string
			Configs []struct{ Source, Target string }
		}
		Configs map[string]struct{ Content string }
	}
	decode(t, text, &file)
	for _, name := range slices.Sorted(maps.Keys(file.Services)) {
		s := file.Services[name]
		require.Equal(t, "portner:latest", s.Image)
		c := container{name: name, args: s.Command, files: map[string]string{}}
		for _, m := range s.Configs {
			require.Contains(t, file.Configs, m.Source)
			c.files[m.Target] = file.Configs[m.Source].Content
		}
		for _, p := range s.Ports { // the browser reaches the issuer at the same port
			parts := strings.Split(p, ":")
			require.Equal(t, parts[len(parts)-2], parts[len(parts)-1], p)
			require.Contains(t, flagOf(c.args, "-issuer"), ":"+parts[len(parts)-1], p)
			require.Contains(t, flagOf(c.args, "-addr"), ":"+parts[len(parts)-1], p)
		}
		list = append(list, c)
	}
	return list
}

// decode decodes one YAML document.
func decode(t *testing.T, text string, v any) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(text), v))
}

// flagOf returns the value of a flag, "" without it.
func flagOf(args []string, name string) string {
	if i := slices.Index(args, name); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

// metadataPaths has the path of the metadata below the issuer without its slash.
var metadataPaths = map[string]string{
	"idporten": "/.well-known/openid-configuration", "ansattporten": "/.well-known/openid-configuration", "helseid": "/.well-known/openid-configuration",
	"altinn": "/.well-known/openid-configuration", "maskinporten": "/.well-known/oauth-authorization-server",
}

// requireIssuer fails unless a container serves metadata with the issuer of its arguments.
func requireIssuer(t *testing.T, hc *http.Client, args []string) {
	t.Helper()
	issuer := flagOf(args, "-issuer")
	var metadata struct{ Issuer string }
	text := fetch(t, hc, strings.TrimSuffix(issuer, "/")+metadataPaths[args[0]])
	require.NoError(t, json.Unmarshal([]byte(text), &metadata))
	require.Equal(t, issuer, metadata.Issuer)
}

func TestComposeFile(t *testing.T) {
	t.Parallel()
	containers := composed(t, blockOf(t, "Compose", 0).text)
	require.Len(t, containers, len(metadataPaths), "all stand-ins")
	var hosts []string
	for _, c := range containers {
		hosts = append(hosts, c.name)
	}
	e := newEngine(t, hosts...)
	hc := e.client()
	for _, c := range containers {
		r := e.start(t, c)
		requireIssuer(t, hc, c.args)
		require.Less(t, r.memory(t), maxMemory, c.name)
	}
	for heading, of := range parties {
		for n := range max(1, of.blocks) {
			b := blockOf(t, heading, n)
			t.Run(heading+" "+of.at(environment(t, b.text)).id, func(t *testing.T) {
				t.Parallel()
				of.at(environment(t, b.text)).logIn(t, hc)
			})
		}
	}
	t.Run("Texas", func(t *testing.T) {
		t.Parallel()
		env := environment(t, blockOf(t, "Texas", 0).text)
		token := machineToken(t, hc, env)
		require.Equal(t, 3, len(strings.Split(token, ".")))
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://altinn:8100/authentication/api/v1/exchange/maskinporten", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := hc.Do(req)
		require.NoError(t, err)
		defer func() { _ = resp.Body.Close() }()
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, resp.StatusCode, "%s", body)
	})
}

// TestPlainHTTPNeedsItsFlag leaves a flag out of the arguments of a container: its issuer is not on loopback.
func TestPlainHTTPNeedsItsFlag(t *testing.T) {
	t.Parallel()
	e := newEngine(t, "idporten")
	for flag, reason := range map[string]string{"-allow-http": "which needs -allow-http", "-test-issuer": "-test-issuer"} {
		c := composed(t, blockOf(t, "Compose", 0).text)[3]
		require.Equal(t, "idporten", c.name)
		i := slices.Index(c.args, flag)
		require.Positive(t, i)
		end := i + 1
		if flag != "-allow-http" {
			end++
		}
		c.args = slices.Delete(c.args, i, end)
		r := e.try(t, c)
		require.True(t, r.ended, c.args)
		require.Contains(t, r.log.String(), reason)
	}
}

// environment parses a block of variables.
func environment(t *testing.T, text string) map[string]string {
	t.Helper()
	env := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		require.True(t, ok, line)
		require.NotContains(t, env, name)
		env[name] = strings.Trim(value, "'")
	}
	return env
}

func TestTestcontainers(t *testing.T) {
	t.Parallel()
	config := configOf(t)
	command := regexp.MustCompile(`[wW]ithCommand\(\[?([^\])]*)\]?\)`)
	word := regexp.MustCompile(`"[^"]*"|'[^']*'|issuer`)
	for heading, target := range map[string]string{"Java": "http://localhost:\" + port", ".NET": "http://localhost:{port}", "Node": "http://localhost:${port}"} {
		t.Run(heading, func(t *testing.T) {
			t.Parallel()
			n := 0
			if heading == ".NET" { // it has a block of variables too
				n = 1
			}
			text := blockOf(t, heading, n).text
			require.Contains(t, text, target)
			require.Contains(t, text, "/readyz")
			found := command.FindStringSubmatch(text)
			require.NotNil(t, found)
			e := newEngine(t, "localhost")
			c := container{name: "localhost", files: map[string]string{"/etc/portner/idporten.json": config}}
			for _, w := range word.FindAllString(found[1], -1) {
				if w == "issuer" {
					w = "http://localhost:8080"
				}
				c.args = append(c.args, strings.Trim(w, `"'`))
			}
			e.start(t, c)
			requireIssuer(t, e.client(), c.args)
		})
	}
}

func TestGitHubActions(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Run string
				Env map[string]string
			}
		}
	}
	decode(t, blockOf(t, "GitHub Actions", 0).text, &workflow)
	steps := workflow.Jobs["test"].Steps
	var c container
	for _, s := range steps {
		before, args, ok := strings.Cut(s.Run, "ghcr.io/your-org/portner:latest ")
		if !ok {
			continue
		}
		require.Contains(t, before, "-p 127.0.0.1:8080:8080")
		require.Contains(t, before, ":/etc/portner/idporten.json:ro")
		c = container{name: "localhost", args: strings.Fields(args), files: map[string]string{"/etc/portner/idporten.json": configOf(t)}}
	}
	e := newEngine(t, "localhost")
	e.start(t, c)
	requireIssuer(t, e.client(), c.args)
	fetch(t, e.client(), steps[len(steps)-1].Env["IDPORTEN_WELL_KNOWN_URL"])
	fetch(t, e.client(), "http://localhost:8080/readyz")
}

// pod is what the Kubernetes manifest says of its pod.
type pod struct {
	Spec struct {
		Template struct {
			Spec struct {
				Containers []struct {
					Args                          []string
					Ports                         []struct{ ContainerPort int }
					LivenessProbe, ReadinessProbe struct{ HTTPGet struct{ Path string } }
					VolumeMounts                  []struct{ Name, MountPath string }
				}
				Volumes []struct {
					Name      string
					ConfigMap struct{ Name string }
				}
			}
		}
	}
}

func TestKubernetes(t *testing.T) {
	t.Parallel()
	documents := strings.Split(blockOf(t, "Kubernetes", 0).text, "\n---\n")
	require.Len(t, documents, 3)
	var configMap struct {
		Metadata struct{ Name string }
		Data     map[string]string
	}
	var deployment pod
	var service struct {
		Metadata struct{ Name string }
		Spec     struct{ Ports []struct{ Port int } }
	}
	decode(t, documents[0], &configMap)
	decodeLower(t, documents[1], &deployment)
	decode(t, documents[2], &service)
	p := deployment.Spec.Template.Spec
	c := container{name: service.Metadata.Name, args: p.Containers[0].Args, files: map[string]string{}}
	require.Equal(t, configMap.Metadata.Name, p.Volumes[0].ConfigMap.Name)
	require.Equal(t, p.Volumes[0].Name, p.Containers[0].VolumeMounts[0].Name)
	for name, content := range configMap.Data {
		c.files[filepath.Join(p.Containers[0].VolumeMounts[0].MountPath, name)] = content
	}
	require.Equal(t, service.Spec.Ports[0].Port, p.Containers[0].Ports[0].ContainerPort)
	e := newEngine(t, c.name)
	hc := e.client()
	e.start(t, c)
	requireIssuer(t, hc, c.args)
	at, err := url.Parse(flagOf(c.args, "-issuer"))
	require.NoError(t, err)
	for _, probe := range []string{p.Containers[0].LivenessProbe.HTTPGet.Path, p.Containers[0].ReadinessProbe.HTTPGet.Path} {
		fetch(t, hc, "http://"+e.hosts[c.name]+":"+at.Port()+probe) // a probe names the address of the pod
	}
	parties["openid-client"].at(environment(t, blockOf(t, "openid-client", 0).text)).logIn(t, hc)
}

// decodeLower decodes a YAML document whose members have names in camel case.
func decodeLower(t *testing.T, text string, v any) {
	t.Helper()
	var members any
	decode(t, text, &members)
	encoded, err := json.Marshal(members)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(encoded, v))
}

// configOf returns the configuration of ID-porten in the Kubernetes manifest.
func configOf(t *testing.T) string {
	t.Helper()
	var configMap struct{ Data map[string]string }
	decode(t, strings.Split(blockOf(t, "Kubernetes", 0).text, "\n---\n")[0], &configMap)
	return configMap.Data["idporten.json"]
}
