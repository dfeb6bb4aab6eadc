package lab

// AssembleRoot makes a root of a machine of its own, in shell, in a mount namespace of its
// own: of the folder $packages with fetched packages, over those of this machine. It ends in
// the new root, which is $dir/root.
const AssembleRoot = `mkdir -p "$dir/root"
mount -t tmpfs tmpfs "$dir/root"
cd "$dir/root"
mkdir dev proc sys tmp run root srv layers
chmod 1777 tmp
for folder in usr etc var; do
	mkdir $folder layers/$folder layers/$folder.work
	mount -t overlay overlay -o "lowerdir=$packages/$folder:/$folder,upperdir=layers/$folder,workdir=layers/$folder.work" $folder
done
for link in bin sbin lib lib64; do ln -s usr/$link $link; done
mount --rbind /dev dev
mount -t proc proc proc
mount --rbind /sys sys
rm -rf var/run
ln -s /run var/run
`
