# boot.scr for a U-Boot that can't be built with bootslot.env in it. The environment text lies beside
# it. It is imported as text, so nothing has to be quoted for a second parser.
#
#   make-boot-txt.sh board-example.env >bootslot.txt
#   mkimage -A arm64 -T script -d bootslot.cmd boot.scr
# If the text does not load, anything may be in memory. Then the commands run that the last saveenv has stored.
if load ${devtype} ${devnum}:${distro_bootpart} ${loadaddr} bootslot.txt; then env import -t ${loadaddr} ${filesize}; fi
run bootslot
