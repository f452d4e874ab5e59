package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// mockServer downloads mock-oauth2-server with what it needs, with Maven, and returns it as its container image starts it.
func mockServer(ctx context.Context, dir, version string) (server, error) {
	pom := fmt.Sprintf(`<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>local</groupId><artifactId>coldstart</artifactId><version>1</version>
  <dependencies><dependency><groupId>no.nav.security</groupId><artifactId>mock-oauth2-server</artifactId><version>%s</version></dependency></dependencies>
</project>
`, version)
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(pom), 0o600); err != nil {
		return server{}, err
	}
	cmd := exec.CommandContext(ctx, "mvn", "--batch-mode", "--quiet", "dependency:copy-dependencies", "-DoutputDirectory=lib", "-DincludeScope=runtime")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return server{}, fmt.Errorf("mock-oauth2-server %s: mvn: %w (-mock= leaves it out)\n%s", version, err, strings.TrimSpace(string(out)))
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return server{}, fmt.Errorf("mock-oauth2-server: %w (-mock= leaves it out)", err)
	}
	return server{
		name: "mock-oauth2-server " + version, program: java, metadata: "/default/.well-known/openid-configuration",
		args: func(string) []string {
			return []string{"-cp", filepath.Join(dir, "lib", "*"), "no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt"}
		},
		env: func(port string) []string { return []string{"SERVER_HOSTNAME=127.0.0.1", "SERVER_PORT=" + port} },
	}, nil
}
