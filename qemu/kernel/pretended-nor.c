// SPDX-License-Identifier: GPL-2.0-only OR MIT OR Apache-2.0
/*
 * /dev/ubootenv: memory that pretends to be MTD NOR flash, just as far as U-Boot's tools ask. It is no MTD
 * device, has another major number, and an erase size of 0. OpenWrt's ubootenv-nvram behaves so.
 */
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/miscdevice.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <mtd/mtd-abi.h>

static u8 memory[64 * 1024];

static ssize_t pretended_read(struct file *file, char __user *to, size_t len, loff_t *at)
{
	return simple_read_from_buffer(to, len, at, memory, sizeof(memory));
}

static ssize_t pretended_write(struct file *file, const char __user *from, size_t len, loff_t *at)
{
	return simple_write_to_buffer(memory, sizeof(memory), at, from, len);
}

static loff_t pretended_seek(struct file *file, loff_t offset, int whence)
{
	return fixed_size_llseek(file, offset, whence, sizeof(memory));
}

static long pretended_ioctl(struct file *file, unsigned int order, unsigned long argument)
{
	struct mtd_info_user info = { .type = MTD_NORFLASH, .size = sizeof(memory) };

	switch (order) {
	case MEMGETINFO:
		return copy_to_user((void __user *)argument, &info, sizeof(info)) ? -EFAULT : 0;
	case MEMERASE:
	case MEMISLOCKED:
		return 0;
	default:
		return -ENOTTY;
	}
}

static const struct file_operations pretended_operations = {
	.read = pretended_read,
	.write = pretended_write,
	.llseek = pretended_seek,
	.unlocked_ioctl = pretended_ioctl,
};

static struct miscdevice pretended_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "ubootenv",
	.fops = &pretended_operations,
};

static int __init pretended_init(void)
{
	memset(memory, 0xff, sizeof(memory));
	return misc_register(&pretended_device);
}
device_initcall(pretended_init);
