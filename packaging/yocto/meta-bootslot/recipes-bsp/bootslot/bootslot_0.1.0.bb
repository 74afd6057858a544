SUMMARY = "A/B slots and U-Boot environments, safe against power cuts"
SUMMARY:${PN}-hawkbit = "Updates from a hawkBit server"
DESCRIPTION = "bootslot, which installs signed updates and knows which slot boots, with fw_printenv and fw_setenv"

require bootslot.inc

inherit systemd update-alternatives

# What a device needs: bundles are made and signed elsewhere. `http` is for bundles from a server, `cms` for certificates,
# `app` for applications beside the system, `bootloader` for updates of the boot loader.
PACKAGECONFIG ??= "yaml update health"
# On the machine that builds: bundles are made and signed there.
PACKAGECONFIG:class-native = "yaml bundle"
PACKAGECONFIG[yaml] = ""
PACKAGECONFIG[update] = ""
PACKAGECONFIG[bundle] = ""
PACKAGECONFIG[health] = ""
PACKAGECONFIG[http] = ""
PACKAGECONFIG[app] = ""
PACKAGECONFIG[bootloader] = ""
PACKAGECONFIG[cms] = ",,openssl"
PACKAGECONFIG[hawkbit] = ""

BOOTSLOT_PROGRAMS = "-p bootslot --bin bootslot ${@bb.utils.contains('PACKAGECONFIG', 'hawkbit', '-p bootslot-hawkbit --bin bootslot-hawkbit', '', d)}"
CARGO_BUILD_FLAGS:append = " --no-default-features ${BOOTSLOT_PROGRAMS} --features bootslot/cli ${@' '.join('--features bootslot/' + feature for feature in bb.utils.filter('PACKAGECONFIG', 'yaml update bundle health http app bootloader cms', d).split())}"

SYSTEMD_SERVICE:${PN} = "bootslot-journal.service bootslot-migrate.service bootslot-health.service bootslot-confirm.service bootslot-baseline.service bootslot-emergency.service bootslot-report.timer ${@bb.utils.contains('PACKAGECONFIG', 'app', 'bootslot-app.service bootslot-app-decide.service', '', d)}"
SYSTEMD_SERVICE:${PN}-hawkbit = "bootslot-hawkbit.service"
SYSTEMD_PACKAGES = "${PN} ${@bb.utils.contains('PACKAGECONFIG', 'hawkbit', '${PN}-hawkbit', '', d)}"

do_install() {
    # Units, manual pages and completion as in every other installation.
    install -d ${D}${bindir}
    install -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/bootslot ${D}${bindir}/bootslot
    ln -s bootslot ${D}${bindir}/fw_printenv
    ln -s bootslot ${D}${bindir}/fw_setenv
    cd ${S}
    DESTDIR=${D} PREFIX=${prefix} SYSTEMDUNITDIR=${systemd_system_unitdir} tools/install-units.sh
    DESTDIR=${D} PREFIX=${prefix} MANDIR=${mandir} tools/install-pages.sh bootslot tools
    if ${@bb.utils.contains('PACKAGECONFIG', 'hawkbit', 'true', 'false', d)}; then
        install -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/bootslot-hawkbit ${D}${bindir}/bootslot-hawkbit
        DESTDIR=${D} PREFIX=${prefix} MANDIR=${mandir} tools/install-pages.sh hawkbit
    else
        rm ${D}${systemd_system_unitdir}/bootslot-hawkbit.service
    fi
}

PACKAGES =+ "${PN}-hawkbit ${PN}-completion"
FILES:${PN}-hawkbit += "${bindir}/bootslot-hawkbit ${systemd_system_unitdir}/bootslot-hawkbit.service"
FILES:${PN}-completion += "${datadir}/bash-completion ${datadir}/zsh ${datadir}/fish"
RDEPENDS:${PN}-hawkbit += "${PN}"

# In the place of libubootenv's tools; an image may have both.
RPROVIDES:${PN} += "u-boot-default-fw-utils"
ALTERNATIVE_PRIORITY = "90"
ALTERNATIVE:${PN} = "fw_printenv fw_setenv"
ALTERNATIVE_LINK_NAME[fw_printenv] = "${bindir}/fw_printenv"
ALTERNATIVE_TARGET[fw_printenv] = "${bindir}/bootslot"
ALTERNATIVE_LINK_NAME[fw_setenv] = "${bindir}/fw_setenv"
ALTERNATIVE_TARGET[fw_setenv] = "${bindir}/bootslot"

BBCLASSEXTEND = "native"
