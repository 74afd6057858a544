include $(sort $(wildcard $(BR2_EXTERNAL_BOOTSLOT_PATH)/package/*/*.mk))
