# Makes a bundle of an image, beside the image in DEPLOY_DIR_IMAGE. An image inherits it:
#
#   inherit bootslot_bundle
#   BOOTSLOT_COMPATIBLE = "acme-gateway"
#   BOOTSLOT_KEY = "/media/keys/release.key"     # minisign; without it the bundle is not signed
#
# BOOTSLOT_IMAGES names the parts of a slot and their files, as `bootslot bundle create` takes them.
BOOTSLOT_COMPATIBLE ??= ""
BOOTSLOT_VERSION ??= "${DISTRO_VERSION}"
BOOTSLOT_KEY ??= ""
BOOTSLOT_IMAGE_TYPE ??= "ext4"
BOOTSLOT_IMAGES ??= "root=${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.${BOOTSLOT_IMAGE_TYPE}"
BOOTSLOT_BUNDLE ??= "${IMGDEPLOYDIR}/${IMAGE_LINK_NAME}.bundle"
BOOTSLOT_CREATE_OPTIONS ??= ""

IMAGE_FSTYPES:append = " ${BOOTSLOT_IMAGE_TYPE}"

do_bootslot_bundle() {
    if [ -z "${BOOTSLOT_COMPATIBLE}" ]; then
        bbfatal "BOOTSLOT_COMPATIBLE says which devices the bundle is for, and is not set"
    fi
    rm -f ${BOOTSLOT_BUNDLE}
    bootslot bundle create ${BOOTSLOT_IMAGES} --output ${BOOTSLOT_BUNDLE} --compatible "${BOOTSLOT_COMPATIBLE}" \
        --version "${BOOTSLOT_VERSION}" ${BOOTSLOT_CREATE_OPTIONS}
    if [ -n "${BOOTSLOT_KEY}" ]; then
        bootslot bundle sign --key "${BOOTSLOT_KEY}" ${BOOTSLOT_BUNDLE}
    else
        bbwarn "BOOTSLOT_KEY is not set: no device installs ${BOOTSLOT_BUNDLE}"
    fi
}
do_bootslot_bundle[doc] = "Makes an update bundle of the image, and signs it"
do_bootslot_bundle[depends] += "bootslot-native:do_populate_sysroot"
do_bootslot_bundle[vardepsexclude] += "BOOTSLOT_KEY"
addtask bootslot_bundle after do_image_complete before do_build
