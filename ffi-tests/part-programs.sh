# Sourced by run.sh. Real programs, unchanged, in Debian 13: libubootenv's tools, SWUpdate and RAUC, on the
# incumbent and on ours; and what cargo-c makes of the project.

registry=${CARGO_HOME:-$HOME/.cargo}
cargo fetch --locked >&2
folder=$(tools/build-folder.sh ffi-build)
mkdir -p "$folder/target"
rm -rf "$folder/prefix"
PREFIX=$folder/prefix tools/install.sh "$target/release/bootslot" "$libraries"
for script in tools swupdate rauc rauc-backend cargo-c; do
    counted "$script" "$here/in-root.sh" "$folder" "$registry" sh "/src/ffi-tests/inside/$script.sh" </dev/null
done
