# bootslot's boot script and the settings that it needs, in the U-Boot of machines with the override `bootslot-uboot`. Such a
# machine also names the text environment of its board, and where U-Boot looks for that: see docs/integrate.md.
FILESEXTRAPATHS:prepend:bootslot-uboot := "${THISDIR}/files:"

BOOTSLOT_BOARD_ENV:bootslot-uboot ??= "bootslot-qemu-arm.env"
BOOTSLOT_BOARD_ENV_PLACE:bootslot-uboot ??= "board/emulation/qemu-arm/qemu-arm.env"

SRC_URI:append:bootslot-uboot = " file://bootslot.env file://bootslot.cfg file://${BOOTSLOT_BOARD_ENV}"

# The machines of this layer have the override.
# nooelint: oelint.func.specific
do_configure:prepend:bootslot-uboot() {
    install -D -m 0644 ${UNPACKDIR}/bootslot.env ${S}/include/env/bootslot.env
    install -D -m 0644 ${UNPACKDIR}/${BOOTSLOT_BOARD_ENV} ${S}/${BOOTSLOT_BOARD_ENV_PLACE}
}
