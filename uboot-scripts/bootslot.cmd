# boot.scr for a U-Boot that can't be built with bootslot.env in it. The environment text lies beside
# it; importing it as text leaves all quoting to the one place, where commands are run.
#
#   make-boot-txt.sh board-example.env >bootslot.txt
#   mkimage -A arm64 -T script -d bootslot.cmd boot.scr
# If it does not load, what is in memory is anything: then the commands run that the last saveenv has stored.
if load ${devtype} ${devnum}:${distro_bootpart} ${loadaddr} bootslot.txt; then env import -t ${loadaddr} ${filesize}; fi
run bootslot
