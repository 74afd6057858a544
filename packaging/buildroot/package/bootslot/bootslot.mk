################################################################################
#
# bootslot
#
################################################################################

BOOTSLOT_VERSION = 0.1.0
BOOTSLOT_SITE = $(call qstrip,$(BR2_PACKAGE_BOOTSLOT_SITE))
BOOTSLOT_SOURCE = bootslot-$(BOOTSLOT_VERSION).tar.gz
# The crates come with the release, so that neither Buildroot nor Cargo asks a registry.
BOOTSLOT_EXTRA_DOWNLOADS = bootslot-$(BOOTSLOT_VERSION)-vendor.tar.xz
BOOTSLOT_LICENSE = MIT or Apache-2.0
BOOTSLOT_LICENSE_FILES = LICENSE-MIT LICENSE-APACHE
BOOTSLOT_DEPENDENCIES = host-rustc

BOOTSLOT_BINARIES = bootslot
ifeq ($(BR2_PACKAGE_BOOTSLOT_TOOLS_ONLY),y)
BOOTSLOT_PROFILE = small
BOOTSLOT_CARGO_OPTS = -p bootslot --bin bootslot --no-default-features
else
BOOTSLOT_PROFILE = release
BOOTSLOT_CARGO_OPTS = -p bootslot --bin bootslot --no-default-features \
	--features bootslot/cli,bootslot/yaml,bootslot/update,bootslot/health
ifeq ($(BR2_PACKAGE_BOOTSLOT_HTTP),y)
BOOTSLOT_CARGO_OPTS += --features bootslot/http
endif
ifeq ($(BR2_PACKAGE_BOOTSLOT_APP),y)
BOOTSLOT_CARGO_OPTS += --features bootslot/app
endif
ifeq ($(BR2_PACKAGE_BOOTSLOT_BOOTLOADER),y)
BOOTSLOT_CARGO_OPTS += --features bootslot/bootloader
endif
ifeq ($(BR2_PACKAGE_BOOTSLOT_HAWKBIT),y)
BOOTSLOT_CARGO_OPTS += -p bootslot-hawkbit --bin bootslot-hawkbit
BOOTSLOT_BINARIES += bootslot-hawkbit
endif
endif

define BOOTSLOT_EXTRACT_CRATES
	$(TAR) -C $(@D) -xf $(BOOTSLOT_DL_DIR)/$(BOOTSLOT_EXTRA_DOWNLOADS)
	mkdir -p $(@D)/.cargo
	printf '[source.crates-io]\nreplace-with = "vendored"\n[source.vendored]\ndirectory = "vendor"\n' \
		> $(@D)/.cargo/config.toml
endef
BOOTSLOT_POST_EXTRACT_HOOKS += BOOTSLOT_EXTRACT_CRATES

define BOOTSLOT_BUILD_CMDS
	cd $(@D) && $(TARGET_MAKE_ENV) $(TARGET_CONFIGURE_OPTS) $(PKG_CARGO_ENV) \
		cargo build --frozen --profile $(BOOTSLOT_PROFILE) $(BOOTSLOT_CARGO_OPTS)
endef

define BOOTSLOT_INSTALL_TARGET_CMDS
	$(foreach program,$(BOOTSLOT_BINARIES),\
		$(INSTALL) -D -m 0755 $(@D)/target/$(RUSTC_TARGET_NAME)/$(BOOTSLOT_PROFILE)/$(program) \
			$(TARGET_DIR)/usr/bin/$(program)
	)
	ln -sf bootslot $(TARGET_DIR)/usr/bin/fw_printenv
	ln -sf bootslot $(TARGET_DIR)/usr/bin/fw_setenv
endef

ifneq ($(BR2_PACKAGE_BOOTSLOT_TOOLS_ONLY),y)
define BOOTSLOT_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(@D)/packaging/busybox/S03bootslot $(TARGET_DIR)/etc/init.d/S03bootslot
endef

define BOOTSLOT_INSTALL_INIT_OPENRC
	$(INSTALL) -D -m 0755 $(@D)/packaging/openrc/bootslot $(TARGET_DIR)/etc/init.d/bootslot
endef

define BOOTSLOT_INSTALL_INIT_SYSTEMD
	cd $(@D) && DESTDIR=$(TARGET_DIR) PREFIX=/usr SYSTEMDUNITDIR=/usr/lib/systemd/system tools/install-units.sh
endef
endif

$(eval $(generic-package))
