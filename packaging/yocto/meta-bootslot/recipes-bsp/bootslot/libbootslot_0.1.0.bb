SUMMARY = "U-Boot environments and A/B slots for programs in C"
DESCRIPTION = "The C library of bootslot, with the interface of libubootenv beside its own: SWUpdate runs on it."

require bootslot.inc

# As `make install` has it: bundles, health and the like are for those who ask for them, see docs/c-api.md.
BOOTSLOT_CAPI_FEATURES ?= "yaml,settings,libubootenv"

do_compile() {
    oe_cargo_build_env
    cd ${S}
    CAPI_FEATURES="${BOOTSLOT_CAPI_FEATURES}" CARGO_TARGET_DIR=${B}/target tools/build-capi.sh --offline --target ${RUST_HOST_SYS}
}

do_install() {
    # The program that install.sh puts beside the library belongs to the other recipe.
    cd ${S}
    touch ${B}/nothing
    DESTDIR=${D} PREFIX=${prefix} LIBDIR=${libdir} MANDIR=${mandir} CC="${CC}" tools/install.sh ${B}/nothing ${B}/target/${CARGO_TARGET_SUBDIR}
    rm -r ${D}${bindir} ${D}${datadir}/bash-completion ${D}${datadir}/zsh ${D}${datadir}/fish ${D}${mandir}/man1 ${D}${mandir}/man5
}

# libubootenv.so.0 stands for Yocto's libubootenv: one of the two is in an image.
PACKAGES =+ "${PN}-libubootenv"
FILES:${PN}-libubootenv += "${libdir}/libubootenv.so.0"
RDEPENDS:${PN}-libubootenv += "${PN}"
RPROVIDES:${PN}-libubootenv += "libubootenv"
RCONFLICTS:${PN}-libubootenv += "libubootenv"
# It is empty, and made with a line of install.sh of its own.
# nooelint: oelint.vars.insaneskip
INSANE_SKIP:${PN}-libubootenv += "ldflags"

BBCLASSEXTEND = "native"
