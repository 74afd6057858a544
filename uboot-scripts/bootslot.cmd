# boot.scr for a U-Boot that can't be built with bootslot.env in it. The environment text lies beside
# it; importing it as text leaves all quoting to the one place, where commands are run.
#
#   make-boot-txt.sh board-example.env >bootslot.txt
#   mkimage -A arm64 -T script -d bootslot.cmd boot.scr
load ${devtype} ${devnum}:${distro_bootpart} ${loadaddr} bootslot.txt
env import -t ${loadaddr} ${filesize}
run bootslot
