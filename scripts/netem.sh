#!/usr/bin/env bash
# Run the tests of the fault `latency` in a virtual machine with Debian's kernel, which has netem: for those who change
# the fault on a machine whose kernel has not. Wants root, qemu-system-x86, debootstrap, 9 GB below TMPDIR for a while,
# and `make setup`; it is emulated, which takes some ten minutes.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
python=$(.venv/bin/python -c 'import sys; print(sys.base_prefix)')

echo "a Debian with its kernel and an engine, in $work"
debootstrap --variant=minbase --include=linux-image-amd64,docker.io,iptables,systemd-sysv,udev,kmod,python3 bookworm "$root" \
  >"$work/debootstrap.log" || { tail "$work/debootstrap.log"; exit 1; }
for folder in "$PWD" "$python"; do
  [ "$folder" = /usr ] || { mkdir -p "$root$folder" && cp -a "$folder/." "$root$folder"; }
done
.venv/bin/sandbox images list --json |
  .venv/bin/python -c 'import json, sys; print(*(i["reference"] for i in json.load(sys.stdin) if i["name"] in ("toolbox", "nginx", "haproxy")))' |
  xargs docker save --output "$root/images.tar"
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
cat >"$root/tests.sh" <<END
docker load --quiet --input /images.tar && cd "$PWD" && .venv/bin/pytest -v -p no:cacheprovider tests/faults/test_faults.py -k "latency or nobody_reaches"
echo "ended with \$?, with \$(lsmod | grep ^sch_netem || echo no netem)"
poweroff
END
cat >"$root/etc/systemd/system/tests.service" <<END
[Unit]
Wants=docker.service
After=docker.service
[Service]
Type=oneshot
ExecStart=/bin/bash /tests.sh
StandardOutput=tty
StandardError=inherit
TTYPath=/dev/ttyS0
END
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../tests.service "$root/etc/systemd/system/multi-user.target.wants/"
mkfs.ext4 -q -d "$root" "$work/disk" 6G

echo "its tests"
timeout 3600 qemu-system-x86_64 -accel tcg,thread=multi -m 3072 -smp 2 -cpu max -nic none -display none \
  -kernel "$root"/boot/vmlinuz-* -initrd "$root"/boot/initrd.img-* -append 'root=/dev/vda rw console=ttyS0 quiet apparmor=0' \
  -drive "file=$work/disk,if=virtio,format=raw,cache=unsafe" -serial "file:$work/serial"
grep -aE 'PASSED|FAILED|ERROR|^E |passed|failed|ended with' "$work/serial"
grep -aq 'ended with 0, with sch_netem' "$work/serial"
