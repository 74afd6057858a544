# Sourced by run.sh. Real programs, unchanged: libubootenv's tools, SWUpdate, RAUC and Mender's client, on the incumbent and on
# ours, of Debian 13 and of Debian's next release; and what cargo-c makes of the project.

registry=${CARGO_HOME:-$HOME/.cargo}
cargo fetch --locked >&2
folder=$(tools/build-folder.sh ffi-build)
mkdir -p "$folder/target"
rm -rf "$folder/prefix"
PREFIX=$folder/prefix tools/install.sh "$target/release/bootslot" "$libraries"

# programs ROOT SCRIPT... : runs the scripts in this root; what each says and its exit code are in two files.
programs() {
    local root=$1 script code
    shift
    for script; do
        code=0
        FFI_ROOT=$root "$here/in-root.sh" "$folder" "$registry" sh "/src/ffi-tests/inside/$script.sh" \
            </dev/null >"$work/$root-$script" 2>&1 || code=$?
        echo "$code" >"$work/$root-$script.code"
    done
}

# Most of the time they wait for each other's services: so both roots at once.
trixie=(tools swupdate swupdate-cuts swupdate-hooks rauc rauc-backend cargo-c)
forky=(swupdate swupdate-cuts swupdate-hooks rauc-backend mender)
if [ "$(id -u)" != 0 ]; then
    # Its slots are loop devices, which only root may set up.
    echo "SKIPPED: mender, which needs root"
    skipped=$((skipped + 1))
    unset 'forky[-1]'
fi
programs root "${trixie[@]}" &
programs newer-root "${forky[@]}" &
wait
for script in "${trixie[@]}"; do
    counted "$script" sh -c 'cat "$1"; exit "$(cat "$1.code")"' sh "$work/root-$script"
done
for script in "${forky[@]}"; do
    counted "$script, Debian's next release" sh -c 'cat "$1"; exit "$(cat "$1.code")"' sh "$work/newer-root-$script"
done
