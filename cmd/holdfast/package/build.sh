#!/bin/sh
# Builds the packages and their bill of materials into a folder. The same commit gives the
# same bytes, wherever it is built with the same Go.
#
# usage: build.sh NFPM CYCLONEDX FOLDER
#
# GO, TAGS, LDFLAGS and VERSION are those of the Makefile; MAINTAINER is who answers for the
# package. With CYCLONEDX "" there is no bill
# of materials.
set -eu

nfpm=$1 cyclonedx=$2 out=$3
go=${GO:-go}
umask 022

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}
DATE=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)
ARCH=$($go env GOARCH)
DIR=$out/tree
# In order of time: a version without a tag is before every release.
VERSION=${VERSION:-0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)}
MAINTAINER=${MAINTAINER:-The holdfast authors <holdfast@packages.invalid>}
export MAINTAINER SOURCE_DATE_EPOCH DATE ARCH DIR VERSION

root=$DIR/root
share=$root/usr/share
doc=$share/doc/holdfast
rm -rf "$DIR" "$out"/holdfast[_-]*
mkdir -p "$out" "$share/man/man8" "$share/man/man5" "$doc/examples"

# Without the state of the working tree in the binary, a commit is all that counts.
CGO_ENABLED=0 $go build -trimpath -buildvcs=false -tags "${TAGS:-}" \
	-ldflags "${LDFLAGS--s -w} -X main.version=$VERSION" -o "$DIR/holdfast" ./cmd/holdfast
install -D -m 755 "$DIR/holdfast" "$root/usr/sbin/holdfast"

for unit in holdfast.service holdfast-realserver@.service; do
	mkdir -p "$root/usr/lib/systemd/system"
	sed 's|/usr/local/sbin|/usr/sbin|' "cmd/holdfast/$unit" >"$root/usr/lib/systemd/system/$unit"
done
install -D -m 644 cmd/holdfast/package/sysusers.conf "$root/usr/lib/sysusers.d/holdfast.conf"
install -D -m 644 cmd/holdfast/package/tmpfiles.conf "$root/usr/lib/tmpfiles.d/holdfast.conf"

"$DIR/holdfast" manual 8 | gzip -9n >"$share/man/man8/holdfast.8.gz"
"$DIR/holdfast" manual 5 | gzip -9n >"$share/man/man5/holdfast.toml.5.gz"
mkdir -p "$share/bash-completion/completions" "$share/fish/vendor_completions.d"
"$DIR/holdfast" completion bash >"$share/bash-completion/completions/holdfast"
"$DIR/holdfast" completion zsh >"$DIR/_holdfast"
"$DIR/holdfast" completion fish >"$share/fish/vendor_completions.d/holdfast.fish"

if [ -n "$cyclonedx" ]; then
	"$cyclonedx" bin -json -noserial -version "$VERSION" -output "$DIR/sbom.cdx.json" "$DIR/holdfast"
	sed -i "s/\"timestamp\": \"[^\"]*\"/\"timestamp\": \"$DATE\"/" "$DIR/sbom.cdx.json"
	install -m 644 "$DIR/sbom.cdx.json" "$doc/sbom.cdx.json"
	cp "$DIR/sbom.cdx.json" "$out/holdfast_${VERSION}_$ARCH.cdx.json"
fi
"$DIR/holdfast" config reference >"$doc/examples/reference.toml"
install -m 644 cmd/holdfast/package/holdfast.toml.example "$doc/examples/holdfast.toml"
install -m 644 cmd/holdfast/package/as-root.conf "$doc/examples/as-root.conf"
install -m 644 cmd/holdfast/package/copyright README.md SECURITY.md "$doc/"
gzip -9n <CHANGELOG.md >"$doc/CHANGELOG.md.gz"
printf 'holdfast (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n' \
	"$VERSION" "$MAINTAINER" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.gz"
install -D -m 644 cmd/holdfast/package/lintian-overrides "$share/lintian/overrides/holdfast"
cp -R docs "$doc/docs"
find "$doc/docs" -name '*.go' -delete
find "$DIR/root" -type d -exec chmod 755 {} +
find "$share" -type f -exec chmod 644 {} +
find "$root" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +

for packager in deb rpm; do
	"$nfpm" package --config cmd/holdfast/package/nfpm.yaml --packager $packager --target "$out"
done
(cd "$out" && sha256sum ./holdfast[_-]* >SHA256SUMS)
rm -rf "$DIR"
