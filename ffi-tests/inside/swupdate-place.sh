# Sourced by the scripts that run SWUpdate: the folder in which it works, its keys, its options, and signed updates.

cms=$(cms)
# Its sockets, from 2026 on; a unit makes the folder.
mkdir -p /run/swupdate

# Not in /tmp: there SWUpdate unpacks an update, and clears up.
mkdir -p /tmp/w /etc/bootslot
cd /tmp/w || exit 1
echo 'demo 1.0' >/etc/hwrevision
openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=test -addext extendedKeyUsage=emailProtection \
	-keyout key.pem -out cert.pem 2>/dev/null

# packed FILE : a signed update of sw-description and rootfs.img
packed() {
	openssl cms -sign -in sw-description -out sw-description.sig -signer cert.pem -inkey key.pem \
		-outform DER -nosmimecap -binary
	printf 'sw-description\nsw-description.sig\nrootfs.img\n' | cpio -o -H crc --quiet >"$1"
}

# example FILE SED_OPTION... : the update of packaging/swupdate, with files in the place of partitions, edited so
example() {
	file=$1
	shift
	head -c 100000 /dev/urandom >rootfs.img
	sed -e "s|@SHA256@|$(sha256sum rootfs.img | cut -d' ' -f1)|" \
		-e 's|/dev/disk/by-partlabel/system-\(.\)|/tmp/w/slot-\1.img|' "$@" /src/packaging/swupdate/sw-description >sw-description
	packed "$file"
}
