#!/usr/bin/env bash
# Installs the clients of the tests of this package: install.sh DIRECTORY
# The tests find them by the environment variable PORTNER_CLIENTS, which is DIRECTORY.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
mkdir -p "$1"
dir="$(cd "$1" && pwd)"

missing=()
command -v node >/dev/null || missing+=(nodejs)
command -v npm >/dev/null || missing+=(npm)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3 python3-venv)
command -v apache2 >/dev/null || missing+=(apache2)
test -e /usr/lib/apache2/modules/mod_auth_openidc.so || missing+=(libapache2-mod-auth-openidc)
command -v javac >/dev/null || missing+=(default-jdk-headless)
command -v mvn >/dev/null || missing+=(maven)
if ((${#missing[@]})); then
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

mkdir -p "$dir/node"
cp "$here/node/package.json" "$here/node/package-lock.json" "$dir/node/"
npm ci --prefix "$dir/node" --ignore-scripts --no-audit --no-fund --silent

python3 -m venv "$dir/python"
"$dir/python/bin/pip" install --quiet --requirement "$here/python/requirements.txt"

# Maven takes half a minute, so it runs only when the program has changed.
if ! diff -qr "$here/spring" "$dir/spring/source" >/dev/null 2>&1; then
	rm -rf "$dir/spring"
	mkdir -p "$dir/spring"
	cp -r "$here/spring" "$dir/spring/build"
	mvn --batch-mode --quiet --no-transfer-progress --file "$dir/spring/build/pom.xml" package
	mv "$dir/spring/build/target/api.jar" "$dir/spring/"
	rm -rf "$dir/spring/build"
	cp -r "$here/spring" "$dir/spring/source"
fi

node --version
"$dir/python/bin/pip" list --format freeze | grep -i -e '^authlib=' -e '^requests_oauth2client='
dpkg-query --show --showformat '${Package}=${Version}\n' libapache2-mod-auth-openidc
jar --list --file "$dir/spring/api.jar" | grep -o 'spring-security-oauth2-resource-server-[0-9.]*[0-9]'
