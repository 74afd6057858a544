#!/usr/bin/env bash
# tools/install.sh PROGRAM LIBRARIES: installs the program and what lies in the folder of the C library under
# $DESTDIR$PREFIX, as `make install` builds them.
#
# libubootenv.so.0 has to have that name written in it as well: ldconfig's cache goes by it, so that a link would
# only be found where the dynamic linker looks for files. It is empty, and needs libbootslot.so.0, which has the
# functions; CC is the compiler that makes it, for another machine that one's. Programs that are linked anew with
# -lubootenv get libbootslot.so.0 itself.
set -euo pipefail
cd "$(dirname "$0")/.."
program=$1 libraries=$2
prefix=${PREFIX:-/usr/local} libdir=${LIBDIR:-${PREFIX:-/usr/local}/lib}
version=$(tools/version.sh abi)
root=${DESTDIR:-}

install -d "$root$prefix/bin" "$root$prefix/include" "$root$libdir/pkgconfig"
install -m 755 "$program" "$root$prefix/bin/bootslot"
ln -sf bootslot "$root$prefix/bin/fw_printenv"
ln -sf bootslot "$root$prefix/bin/fw_setenv"
install -m 644 include/bootslot.h include/libuboot.h "$root$prefix/include"
install -m 755 "$libraries/libbootslot.so" "$root$libdir/libbootslot.so.$version"
install -m 644 "$libraries/libbootslot.a" "$root$libdir/libbootslot.a"
ln -sf "libbootslot.so.$version" "$root$libdir/libbootslot.so.${version%%.*}"
ln -sf "libbootslot.so.${version%%.*}" "$root$libdir/libbootslot.so"
rm -f "$root$libdir/libubootenv.so.0" # may be a link to the library
read -ra cc <<<"${CC:-cc}"
# shellcheck disable=SC2016  # the dynamic linker's $ORIGIN: where only this file is searched for by its path
"${cc[@]}" -shared -nostdlib -x c /dev/null -x none -Wl,-soname,libubootenv.so.0 -Wl,-rpath,'$ORIGIN' \
    -Wl,--no-as-needed "$root$libdir/libbootslot.so" -o "$root$libdir/libubootenv.so.0"
ln -sf "libbootslot.so.${version%%.*}" "$root$libdir/libubootenv.so"
ln -sf libbootslot.a "$root$libdir/libubootenv.a"

# What the header has for this library only: the parts that were built in.
defines=
has() { grep -q "$1" "$libraries/libbootslot.so"; }
has bootslot_slots_observe || defines+=" -DBOOTSLOT_NO_SETTINGS"
! has bootslot_bundle_new || defines+=" -DBOOTSLOT_UPDATE"
! has bootslot_slots_migrate || defines+=" -DBOOTSLOT_HEALTH"

# pc NAME VERSION DESCRIPTION
pc() {
    cat <<END
prefix=$prefix
libdir=$libdir
includedir=\${prefix}/include

Name: $1
Description: $3
Version: $2
Libs: -L\${libdir} -l${1#lib}
Libs.private: -lpthread -ldl -lm
Cflags: -I\${includedir}${defines}
END
}
crate=$(tools/version.sh)
pc bootslot "$crate" "U-Boot environments and A/B slots, safe against power cuts" \
    >"$root$libdir/pkgconfig/bootslot.pc"
pc libubootenv 0.3.7 "libubootenv's interface, served by bootslot" >"$root$libdir/pkgconfig/libubootenv.pc"


# CMake's find_package.
cmake=$libdir/cmake/bootslot
install -d "$root$cmake"
list=${defines// -D/;}
sed -e "s|@INCLUDEDIR@|$(realpath -m --relative-to="$cmake" "$prefix/include")|" -e "s|@ABI@|$version|" \
    -e "s|@SONAME@|${version%%.*}|" -e "s|@DEFINES@|${list#;}|" \
    packaging/cmake/bootslot-config.cmake.in >"$root$cmake/bootslot-config.cmake"
IFS=. read -r major minor _ <<<"$crate"
sed -e "s|@VERSION@|$crate|" -e "s|@MAJOR@|$major|" -e "s|@MINOR@|$minor|" \
    packaging/cmake/bootslot-config-version.cmake.in >"$root$cmake/bootslot-config-version.cmake"

tools/install-pages.sh

# Where the init system looks for what it starts, if that is named.
if [ -n "${SYSTEMDUNITDIR:-}${OPENRCDIR:-}${RCSDIR:-}" ]; then
    tools/install-units.sh
fi
