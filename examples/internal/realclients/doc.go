// Package realclients tests examples/idporten with client libraries of other projects: openid-client (JavaScript), Authlib (Python) and
// mod_auth_openidc (Apache). Each logs a user in, refreshes, reads userinfo and logs out, over https, with the cookies and redirects of
// a browser. install.sh installs the versions that the tests expect.
package realclients
