#!/bin/sh
# Makes src/sys/abi.rs from src/sys/abi.h and the kernel's headers; prints it with --stdout, and the
# version of those headers with --headers.
# Needs: bindgen (cargo install bindgen-cli), libclang, linux-libc-dev. Never part of a user's build.
#
# No layout tests: a u64 is aligned to 4 bytes on 32-bit x86 and to 8 elsewhere; the sizes, which are
# the same everywhere, are tested in src/sys/mtd.rs and src/sys/ubi.rs.
set -eu
cd "$(dirname "$0")/.."

version=$(awk '/LINUX_VERSION_MAJOR|LINUX_VERSION_PATCHLEVEL/ { v = v (v ? "." : "") $3 } END { print v }' \
    /usr/include/linux/version.h)

generate() {
    bindgen src/sys/abi.h \
        --disable-header-comment --rust-target 1.85 --rust-edition 2021 \
        --no-layout-tests --no-doc-comments --ctypes-prefix core::ffi --use-core --no-derive-debug --with-derive-default \
        --allowlist-type 'mtd_info_user|erase_info_user|erase_info_user64|mtd_ecc_stats|ubi_attach_req|ubi_leb_change_req' \
        --allowlist-var 'MTD_(RAM|NORFLASH|NANDFLASH|DATAFLASH|UBIVOLUME|MLCNANDFLASH|NO_ERASE|BIT_WRITEABLE)' \
        --allowlist-var 'UBI_DEV_NUM_AUTO|GENERIC_.*' \
        --raw-line '//! The kernel'"'"'s MTD and UBI structures and constants, made by tools/regenerate-abi.sh.' \
        --raw-line "//! Kernel headers: Linux $version."
}

case "${1-}" in
--stdout) generate ;;
--headers) echo "$version" ;;
*) generate >src/sys/abi.rs.new && mv src/sys/abi.rs.new src/sys/abi.rs ;;
esac
