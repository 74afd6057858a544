# Sourced by run.sh. The same C tests, cross-compiled, in a Linux guest.

folder=$(tools/build-folder.sh ffi-build)
counted "arm64" "$here/arm64.sh" "$folder" </dev/null
