"""Sealing an image: what tells one computer from all others. Each script is one part of ``linux_seal.PARTS``.

Nothing here calls a directory, a registry or a server: they would strike off the computer that the image comes from,
which goes on. All may be cut off anywhere and run again. A script's standard output is what it did.
"""

# Real hashes only: an account without a password stays without one. Old hashes of locked accounts go, and those in the
# copies that useradd(8) and its like leave. The secret is the first line of the input.
PASSWORDS = r"""password=${input%%"$nl"*}
stored() { getent shadow "$1" | cut -d: -f2; }
open=$(awk -F: '$1 == "root" || $2 == "" || $2 ~ /^[^!*]/ { print $1 }' /etc/shadow)
locked=$(awk -F: '$1 != "root" && $2 ~ /^![^!*]/ { print $1 }' /etc/shadow)
for name in $open; do
    before=$(stored "$name")
    printf '%s:%s\n' "$name" "$password" | chpasswd
    case $(stored "$name") in
        "$before") refuse "the password of $name is still the old one" ;;
        '$'*) ;;
        *) refuse "$name has no password after it was set" ;;
    esac
done
for name in $locked; do usermod -p '!' "$name"; done
rm -f /etc/passwd- /etc/shadow- /etc/group- /etc/gshadow- /etc/subuid- /etc/subgid-
empty /etc/security/opasswd
echo "set for" $open
"""

# A line with the management key stays as it is, whatever options it has. At no moment is it missing.
ROOT_KEYS = r"""key=$1 gone=0
[ -n "$key" ] || refuse 'the management key is not known'
for file in /root/.ssh/authorized_keys /root/.ssh/authorized_keys2; do
    ours_to_change "$file" || continue
    all=$(grep -c . "$file" || true)
    cp -a "$file" "$file.vclab"
    awk -v key="$key" 'index($0, key)' "$file" > "$file.vclab"
    left=$(grep -c . "$file.vclab" || true)
    sync -d "$file.vclab" 2> /dev/null || true
    if [ "$left" = "$all" ]; then rm -f "$file.vclab"; else mv -fT "$file.vclab" "$file"; fi
    gone=$((gone + all - left))
done
if [ -d /root/.ssh ]; then
    for private in $(find /root/.ssh -type f -exec grep -l -e 'PRIVATE KEY-----' {} + || true); do
        erase "$private" "$private.pub"
    done
fi
[ $gone = 0 ] || echo "lines of root's authorized_keys removed: $gone"
told
"""

# A directory's settings stay: sssd.conf goes only where it says that the computer is a member.
MEMBERSHIP = r"""erase /etc/krb5.keytab /etc/*.keytab /var/lib/sss/keytabs/* /var/kerberos/krb5/user/* /var/lib/kcm
for file in /etc/sssd/sssd.conf /etc/sssd/conf.d/*.conf; do
    ! grep -qsE '^[[:space:]]*id_provider[[:space:]]*=[[:space:]]*(ad|ipa)' "$file" || erase "$file"
done
clear_files /var/lib/sss/db /var/lib/sss/mc /var/lib/sss/secrets /var/lib/sss/pubconf /var/lib/sss/gpo_cache \
    /var/lib/sss/deskprofile /var/lib/ipa-client /var/cache/samba
erase /etc/ipa/default.conf /etc/ipa/nssdb /etc/samba/secrets.tdb /var/lib/samba/private/secrets.tdb \
    /var/lib/samba/private/netlogon_creds_cli.tdb /var/lib/samba/secrets.tdb /var/lib/samba/*_cache.tdb \
    /var/lib/samba/gencache.tdb
told
"""

REGISTRATIONS = r"""clear_files /etc/pki/consumer /etc/pki/entitlement /var/lib/rhsm/cache /var/lib/rhsm/facts \
    /var/lib/ubuntu-advantage/private /etc/puppetlabs/puppet/ssl /etc/puppet/ssl /var/lib/puppet/ssl \
    /opt/puppetlabs/puppet/cache /var/cache/puppet /etc/salt/pki/minion /var/cache/salt/minion
erase /etc/yum.repos.d/redhat.repo /etc/sysconfig/rhn/systemid /etc/insights-client/machine-id \
    /etc/insights-client/.registered /etc/insights-client/.unregistered \
    /var/lib/ubuntu-advantage/machine-token.json /var/lib/ubuntu-advantage/status.json \
    /var/lib/ubuntu-advantage/machine-access-*.json /etc/apt/auth.conf.d/90ubuntu-advantage \
    /etc/apt/sources.list.d/ubuntu-esm-* /etc/salt/minion_id
told
"""

# It makes what it has made again, at the first boot.
CLOUD_INIT = r"""if ! command -v cloud-init > /dev/null; then echo 'cloud-init is not installed'; exit 0; fi
timeout -k 5 120 cloud-init clean --logs > /dev/null
erase /var/lib/cloud/instance /var/lib/cloud/instances /var/lib/cloud/data /var/lib/cloud/sem
echo 'cloud-init begins anew at the first boot'
told
"""

# Where only a parser could take out the tie to a card, the file goes as a whole. What gives all cards an address by
# DHCP is there before: a computer with no network could not be loaded.
NETWORK = r"""mac='([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}'
tied() { [ -f "$1" ] && grep -qE "$2" "$1" && ours_to_change "$1"; }
edit() { # FILE PATTERN: without the lines
    sed -i -E "/$2/d" "$1"
    echo "no longer tied to a MAC: $1"
}
for file in /etc/netplan/*.yaml; do
    tied "$file" "$mac" || continue
    umask 077
    if grep -qE '^[[:space:]]*renderer:[[:space:]]*"?NetworkManager' "$file"; then
        cards='  renderer: NetworkManager'
    else
        cards='  ethernets: {vclab: {match: {name: "e*"}, dhcp4: true, dhcp6: true, optional: true}}'
    fi
    printf 'network:\n  version: 2\n%s\n' "$cards" > /etc/netplan/90-vclab.new
    mv -f /etc/netplan/90-vclab.new /etc/netplan/90-vclab.yaml
    erase "$file"
    echo "tied to a MAC, and replaced by DHCP for all cards: $file"
done
umask 022
for file in /etc/systemd/network/*.network; do
    tied "$file" "^(Permanent)?MACAddress=.*$mac" || continue
    printf '[Match]\nName=en* eth*\n[Network]\nDHCP=yes\n' > /etc/systemd/network/90-vclab.new
    mv -f /etc/systemd/network/90-vclab.new /etc/systemd/network/90-vclab.network
    erase "$file"
    echo "tied to a MAC, and replaced by DHCP for all cards: $file"
done
for file in /etc/systemd/network/*.link; do
    tied "$file" "^(Permanent)?MACAddress=.*$mac" || continue
    erase "$file"
    echo "tied to a MAC: $file"
done
for file in /etc/NetworkManager/system-connections/*; do
    line="^(cloned-)?mac-address=.*$mac"
    ! tied "$file" "$line" || edit "$file" "$line"
done
for file in /etc/sysconfig/network-scripts/ifcfg-* /etc/sysconfig/network/ifcfg-*; do
    line='^(HWADDR|MACADDR|LLADDR)='
    tied "$file" "$line" || continue
    name=${file##*/ifcfg-}
    [ ! -e "/sys/class/net/$name" ] || grep -q '^DEVICE=' "$file" || echo "DEVICE=$name" >> "$file"
    edit "$file" "$line"
done
for file in /etc/network/interfaces /etc/network/interfaces.d/*; do
    line='^[[:space:]]*hwaddress[[:space:]]'
    ! tied "$file" "$line" || edit "$file" "$line"
done
erase /etc/udev/rules.d/*persistent-net.rules /etc/udev/rules.d/*persistent-cd.rules
for file in /etc/udev/rules.d/*.rules; do
    line='ATTR[{]address[}]=='
    ! tied "$file" "$line" || edit "$file" "$line"
done
told
"""

# Two computers of one name would be taken for one by DHCP; the load gives the next one its own.
HOST_NAME = r"""! kept /etc/hostname || { echo 'kept by the exclude list'; exit 0; }
name=$(cat /etc/hostname 2> /dev/null || true)
echo localhost > /etc/hostname.vclab
mv -f /etc/hostname.vclab /etc/hostname
if [ -f /etc/hosts ] && ! kept /etc/hosts; then sed -i '/^127\.0\.1\.1[[:space:]]/d' /etc/hosts; fi
for file in /etc/sysconfig/network; do
    ! ours_to_change $file || sed -i '/^\(HOSTNAME\|GATEWAY\)=/d' $file
done
echo "the name was ${name:-not set}"
"""

# Debian's start script makes a name where it says so, Red Hat's where there is none.
STORAGE_NAMES = r"""if [ -e /etc/iscsi/initiatorname.iscsi ] && ! kept /etc/iscsi/initiatorname.iscsi; then
    if [ -e /usr/lib/open-iscsi/startup-checks.sh ]; then
        umask 077
        echo GenerateName=yes > /etc/iscsi/initiatorname.vclab
        mv -f /etc/iscsi/initiatorname.vclab /etc/iscsi/initiatorname.iscsi
        echo 'a new iSCSI name is made at the first boot'
    fi
fi
[ -e /usr/lib/open-iscsi/startup-checks.sh ] || erase /etc/iscsi/initiatorname.iscsi
erase /etc/nvme/hostnqn /etc/nvme/hostid
told
"""

# systemd makes a new one of an empty file, and takes the boot for no other than usual.
MACHINE_ID = r"""[ -L /var/lib/dbus/machine-id ] || erase /var/lib/dbus/machine-id
empty /etc/machine-id
told
"""

# Stopped first: it would write a new one at the shutdown, the same for all computers.
RANDOM_SEED = r"""if [ -d /run/systemd/system ] && systemctl is-active --quiet systemd-random-seed.service; then
    systemctl stop systemd-random-seed.service
fi
erase /var/lib/systemd/random-seed /var/lib/urandom/random-seed /var/lib/random-seed /boot/loader/random-seed \
    /boot/efi/loader/random-seed /efi/loader/random-seed
told
"""
