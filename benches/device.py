"""A device of two files for the benches: slot A runs and is confirmed, and bundles are signed with its key."""
import pathlib, subprocess


class Device:
    """In `folder`, with files `slots`, {name: path}. `options` make a command of the program be about it."""

    options = ["--slot", "A", "--settings", "bootslot.toml", "-c", "fw_env.config", "-l", "."]

    def __init__(self, program, folder, slots):
        self.program, self.folder = program, pathlib.Path(folder)
        (self.folder / "keys").mkdir()
        self.run("bundle", "generate-key", "--public", "keys/release.pub", "--secret", "release.key")
        (self.folder / "fw_env.config").write_text("env 0x0 0x4000\nenv 0x4000 0x4000\n")
        (self.folder / "env").write_bytes(bytes(0x8000))
        for first, name, value in [(["--init"], "active_slot", "A"), ([], "boot_success", "1"), ([], "slot_A", "good")]:
            self.run("fw_setenv", "-c", "fw_env.config", "-l", ".", *first, name, value)
        parts = "".join(f'[[slot]]\nname = "{name}"\ndevice = "{path}"\n' for name, path in slots.items())
        (self.folder / "bootslot.toml").write_text(
            f'script = 2\n{parts}[update]\ncompatible = "bench"\nkeys = "{self.folder}/keys"\n')

    def run(self, *command):
        subprocess.run([self.program, *command], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)

    def bundle(self, name, image, *more):
        """Makes a bundle of the image, and signs it. Its size."""
        self.run("bundle", "create", "-o", name, "--compatible", "bench", "--version", "2", *more, f"root={image}")
        self.run("bundle", "sign", name, "--key", "release.key")
        return (self.folder / name).stat().st_size
