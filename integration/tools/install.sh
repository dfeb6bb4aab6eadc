#!/bin/sh
# Fetch the programs that the tests, the demo and the benchmark run beside
# holdfast, and unpack them into a cache folder of our own.
#
# Nothing is installed: no maintainer script runs, no service starts, and no
# file outside the cache is written. apt resolves with lists, archives and
# locks of its own; the host's dpkg status is only read, so that libraries
# which the host already has are not fetched again.
#
# usage: install.sh            fetch what is missing (a no-op when done)
#        install.sh --bin      print the folder that holds the programs
set -eu

cache=${HOLDFAST_CACHE:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/holdfast}
bin=$cache/bin
root=$cache/root
apt=$cache/apt
list=$(dirname "$0")/packages
packages=$(sed 's/#.*//' "$list" | awk 'NF { print $1 }' | xargs)
programs=$(sed 's/#.*//' "$list" | awk '{ $1 = ""; print }' | xargs)

# Only the scripts of these are wanted. They depend on 100 MB of libraries for clouds.
alone="fence-agents"

if [ "${1:-}" = --bin ]; then
	echo "$bin"
	exit 0
fi

die() {
	echo "tools: $*" >&2
	exit 1
}

axe_version="axe-core-4.13.0"
axe_sum=096912f6e77b4b695fc9304b7be65091db42d98de054da674ae222a11cb33f70

# What judges the accessibility of the status page comes from npm. Only tests of that page
# need it: where it cannot be had they are skipped, and the next run tries again.
fetch_axe() {
	axe=$cache/$axe_version
	if [ -f "$axe/axe.min.js" ] || ! command -v npm >/dev/null; then return 0; fi
	rm -rf "$axe.new"
	mkdir -p "$axe.new"
	if ! (cd "$axe.new" && npm pack --silent --cache "$axe.new/npm" "$(echo "$axe_version" | sed 's/\(.*\)-/\1@/')" >/dev/null); then
		echo "tools: npm could not fetch $axe_version, going on without it" >&2
		return 0
	fi
	echo "$axe_sum  $axe.new/$axe_version.tgz" | sha256sum --check --quiet || die "$axe_version is not what it should be"
	tar -x -z -f "$axe.new/$axe_version.tgz" -C "$axe.new" --strip-components=1 package/axe.min.js package/LICENSE
	rm -rf "$axe.new/$axe_version.tgz" "$axe.new/npm" "$axe"
	mv "$axe.new" "$axe"
}
fetch_axe

stamp=$cache/stamp
xstate=$(dirname "$0")/xstate/ptrace.c
wanted="7 $axe_sum $packages $alone $(cksum <"$xstate")"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
	complete=yes
	for program in $programs; do
		[ -e "$bin/$program" ] || complete=
	done
	[ -n "$complete" ] && exit 0
fi

if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
	missing=
	for program in $programs; do
		command -v "$program" >/dev/null || missing="$missing $program"
	done
	[ -z "$missing" ] && exit 0
	die "this is not a Debian or Ubuntu machine, and these programs are not in PATH:$missing
tools: install them with the machine's own package manager (linux.uml is User Mode Linux with its modules,
tools: needed only where the running kernel has no IPVS; bfdd, vrrpd, zebra and vtysh belong to FRR)"
fi

mkdir -p "$bin" "$apt/state/lists/partial" "$apt/archives/partial"
cat /var/lib/dpkg/status >"$apt/state/status"

apt_get() {
	apt-get -qq -y \
		-o "Dir::State=$apt/state" \
		-o "Dir::State::status=$apt/state/status" \
		-o "Dir::Cache=$apt" \
		-o APT::Sandbox::User=root \
		-o APT::Install-Recommends=false \
		-o Debug::NoLocking=true \
		-o Acquire::Retries=3 \
		"$@"
}

echo "tools: fetching $packages into $cache"
apt_get update || echo "tools: some package lists could not be fetched, trying with the others" >&2
# One by one a missing package would hide behind the others' success.
# shellcheck disable=SC2086
apt_get install --download-only $packages || die "apt-get could not fetch: $packages"

# shellcheck disable=SC2086
(cd "$apt/archives" && apt_get download $alone) || die "apt-get could not fetch: $alone"

# A package that the host already has is not fetched: its programs are used
# where they are.
rm -rf "$root.new"
mkdir -p "$root.new/etc" "$root.new/var"
# As on every Debian since 12, /bin and its like are links into /usr, which
# "dpkg -x" would replace with folders.
for folder in bin sbin lib lib64; do
	mkdir -p "$root.new/usr/$folder"
	ln -s "usr/$folder" "$root.new/$folder"
done
for deb in "$apt"/archives/*.deb; do
	[ -e "$deb" ] || continue
	dpkg --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root.new"
done
# Programs may run from there: the folder is away for a moment only.
rm -rf "$root.old"
if [ -e "$root" ]; then mv "$root" "$root.old"; fi
mv "$root.new" "$root"
rm -rf "$root.old"
# modprobe is a link to /bin/kmod: absolute links must stay inside the root.
find "$root" -type l -lname '/*' -print | while read -r link; do
	target=$root$(readlink "$link")
	if [ -e "$target" ]; then ln -sfn "$target" "$link"; fi
done

# What User Mode Linux needs on processors with more registers than it knows.
# The compiler of 300 kB is fetched as there may be no other.
tcc=tcc
if [ -x "$root/usr/bin/tcc" ]; then tcc="$root/usr/bin/tcc -B$(echo "$root"/usr/lib/*/tcc)"; fi
# shellcheck disable=SC2086
$tcc -shared -nostdlib -o "$root/xstate.so" "$xstate" || die "$tcc could not compile $xstate"

# A browser without fonts shows no text.
cat >"$root/fonts.conf" <<FONTS
<?xml version="1.0"?>
<fontconfig><dir>$root/usr/share/fonts</dir><cachedir>$root/var/cache/fontconfig</cachedir>
<match><edit name="family" mode="append"><string>Liberation Sans</string></edit></match></fontconfig>
FONTS

# The folders with shared libraries, but not plugin folders below them.
libraries=$(find "$root" \( -name '*.so.*' -o -name 'libpulsecommon-*.so' \) -printf '%h\n' | sort -u | paste -sd: -)
for program in $programs; do
	path=
	# In usr/bin there is but a script that starts the installed Chromium.
	for folder in usr/lib/chromium usr/sbin usr/bin usr/lib/frr; do
		if [ -x "$root/$folder/$program" ]; then
			path=$root/$folder/$program
			break
		fi
	done
	if [ -z "$path" ]; then
		path=$(PATH=$PATH:/usr/sbin:/sbin:/usr/lib/frr command -v "$program") ||
			die "$program is in none of the fetched packages"
		rm -f "$bin/$program"
		ln -s "$path" "$bin/$program"
		continue
	fi
	preload=
	if [ "$program" = linux.uml ]; then preload="export LD_PRELOAD='$root/xstate.so'"; fi
	if [ "$program" = chromium-headless-shell ]; then preload="export FONTCONFIG_FILE='$root/fonts.conf'"; fi
	cat >"$bin/$program.new" <<WRAPPER
#!/bin/sh
$preload
export LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export WIRESHARK_DATA_DIR="$root/usr/share/wireshark"
exec "$path" "\$@"
WRAPPER
	chmod 755 "$bin/$program.new"
	mv "$bin/$program.new" "$bin/$program"
done

rm -rf "$apt"
printf '%s' "$wanted" >"$stamp"
echo "tools: ready in $bin"
