SUMMARY = "Over-the-air updates, hosting and health reports for applications on gateways"
DESCRIPTION = "Gateway Engine installs and updates applications over the air, hosts them under supervisord, \
tracks their versions and reports the gateway's health. gmq, its queue, keeps data through outages and power cuts."
HOMEPAGE = "https://github.com/exosite/gateway-engine"
SECTION = "net"
# The agent's own is Apache-2.0; the others are those of the crates that are built in, Apache-2.0 taken where they offer it.
LICENSE = "Apache-2.0 & ISC & MIT & Unicode-3.0${@' & BSD-3-Clause' if 'tls-rustls' in d.getVar('PACKAGECONFIG').split() else ''}"
LIC_FILES_CHKSUM = " \
    file://LICENSE;md5=3b83ef96387f14655fc854ddc3c6bd57 \
    file://LICENSE-CRATES;md5=e4ebb54f09c0e34d19b1977723c89a59 \
"
# scarthgap has no text of it.
NO_GENERIC_LICENSE[Unicode-3.0] = "LICENSE-CRATES"

require gwe-crates.inc

# The layer stands in the checkout of the agent's own source, and files/ has links to it: the layer's revision is the agent's.
SRC_URI += " \
    file://Cargo.lock;subdir=${BP} \
    file://Cargo.toml;subdir=${BP} \
    file://LICENSE;subdir=${BP} \
    file://LICENSE-CRATES;subdir=${BP} \
    file://Makefile;subdir=${BP} \
    file://build.rs;subdir=${BP} \
    file://configs;subdir=${BP} \
    file://docs;subdir=${BP} \
    file://mk;subdir=${BP} \
    file://src;subdir=${BP} \
    file://run-ptest \
"

inherit cargo cargo-update-recipe-crates pkgconfig ptest systemd update-rc.d

# The factory's settings; empty means the agent's own default. Set them in the distribution's or the machine's configuration, or in
# a bbappend. None of them is unique to a unit.

# The product id on the platform.
GWE_PRODUCT_ID ?= ""
# Where the serial number comes from on the gateway: file:PATH or command:COMMAND; without one, the MAC of the interface.
GWE_SERIAL ?= ""
GWE_IFACE ?= "${@'' if d.getVar('GWE_SERIAL') else 'eth0'}"
# The server's base URL; empty is the platform's own for the product.
GWE_SERVER ?= ""
# Seconds from one check-in, and from one try to be activated, to the next.
GWE_UPDATE_INTERVAL ?= "14400"
GWE_ACTIVATION_RETRY_INTERVAL ?= "60"
# yes: orders are listened for between check-ins.
GWE_PUSH ?= "no"
# Who gives the orders: device-api or, with ddi in PACKAGECONFIG, ddi (hawkBit), and the settings of that. A token that one gateway alone
# may have does not belong here, but what is the same for all does: a gateway token (DDI_TOKEN_KIND gateway), say.
GWE_BACKEND ?= "device-api"
GWE_DDI_URL ?= ""
GWE_DDI_TENANT ?= ""
GWE_DDI_ID ?= ""
GWE_DDI_TOKEN ?= ""
GWE_DDI_TOKEN_KIND ?= ""
GWE_DDI_INTERVAL ?= ""
GWE_DDI_CONFIRM ?= ""
# DEBUG, INFO, WARNING, ERROR or CRITICAL.
GWE_LOG_LEVEL ?= "INFO"
# Files, absolute or as SRC_URI finds them: the only roots to trust (PEM), minisign public keys that make signatures mandatory
# (*.pub), tarballs that every gateway installs at first boot.
GWE_CACERT ?= ""
GWE_TRUSTED_KEYS ?= ""
# Keys that sign sets of keys (*.pub), which make signatures mandatory too, and the image's own set (a keys.json).
GWE_TRUSTED_ROOT_KEYS ?= ""
GWE_KEY_SET ?= ""
# yes: unsigned tarballs are refused whatever keys there are, and do_install fails without one.
GWE_REQUIRE_SIGNATURES ?= "no"
# When what is here is installed: now, window (of the day, HH:MM-HH:MM), reboot or consent; and the seconds that an app may hold it off.
GWE_APPLY ?= "now"
GWE_WINDOW ?= "02:00-04:00"
GWE_MAX_HOLD ?= "86400"
# Links that cost by the byte: bytes a second of a download and bytes in a month (64k, 50M), and interfaces without downloads (wwan*).
GWE_MAX_RATE ?= ""
GWE_MONTHLY_BYTES ?= ""
GWE_NO_DOWNLOADS_ON ?= ""
GWE_APPS ?= ""
# Where logs go: /var/log is a tmpfs unless the distribution says otherwise; /var/lib/gwe/log is on flash.
GWE_LOGDIR ?= "${localstatedir}/log"
# The block device for /var/lib/gwe, checked, formatted where it is blank, and mounted; empty leaves all that to the image's fstab.
GWE_DATA ?= ""
# A gwe that runs on the build machine (its path), which checks these settings: a bad one fails do_install. Without one they are checked only
# where the machine's own program runs there.
GWE_CHECKER ?= ""

SRC_URI += "${@' '.join('file://%s;unpack=0' % name for name in d.expand('${GWE_CACERT} ${GWE_TRUSTED_KEYS} ${GWE_TRUSTED_ROOT_KEYS} ${GWE_KEY_SET} ${GWE_APPS}').split())}"

PACKAGECONFIG ??= "tls-openssl ddi"
PACKAGECONFIG[tls-openssl] = "--features tls-openssl,,openssl,ca-certificates"
PACKAGECONFIG[tls-rustls] = "--features tls-rustls,,,ca-certificates"
PACKAGECONFIG[ddi] = "--features ddi"
# supervisor's own supervisord in the place of ours, from meta-python. fcntl and unixadmin are what python3-supervisor needs and, on
# scarthgap, does not name itself.
PACKAGECONFIG[hosting-python] = ",,,python3-core python3-fcntl python3-supervisor python3-unixadmin"

# Only newer releases pass PACKAGECONFIG_CONFARGS to cargo by themselves; there cargo sees a feature twice, which is the same as once.
CARGO_BUILD_FLAGS:append = " --no-default-features ${PACKAGECONFIG_CONFARGS}"

# Some 40 kB less of flash. Every release that this layer is for has a C library that knows such relocations.
export GWE_PACK_RELOCATIONS = "1"

# The class strips, and keeps what it took off for -dbg; it refuses what was stripped before.
export GWE_KEEP_SYMBOLS = "1"

# tls-rustls: random numbers from the kernel, as OpenSSL's are; measuring the CPU's jitter costs each check-in 20 ms.
export AWS_LC_SYS_NO_JITTER_ENTROPY = "1"

SYSTEMD_SERVICE:${PN} = "gwe.service"
INITSCRIPT_NAME = "gwe"
INITSCRIPT_PARAMS = "defaults 95 05"

# The class's own do_install takes only what cargo built, and has a B of its own, where there is no Makefile.
do_install() {
    unpackdir="${@d.getVar('UNPACKDIR') or d.getVar('WORKDIR')}"
    in_unpackdir() {
        for name in "$@"; do
            printf '%s ' "$unpackdir/${name#/}"
        done
    }
    for init in sysv systemd; do
        oe_runmake -C "${S}" install \
            INIT="$init" \
            DESTDIR="${D}" \
            PREFIX="${prefix}" \
            BINDIR="${bindir}" \
            LIBEXECDIR="${libexecdir}" \
            DATADIR="${datadir}" \
            MANDIR="${mandir}" \
            UNITDIR="${systemd_system_unitdir}" \
            BINARY="${B}/target/${CARGO_TARGET_SUBDIR}/gwe" \
            HOSTING="${@'python' if 'hosting-python' in d.getVar('PACKAGECONFIG').split() else 'own'}" \
            PRODUCT_ID="${GWE_PRODUCT_ID}" \
            IFACE="${GWE_IFACE}" \
            SERIAL="${GWE_SERIAL}" \
            SERVER="${GWE_SERVER}" \
            UPDATE_INTERVAL="${GWE_UPDATE_INTERVAL}" \
            PUSH="${GWE_PUSH}" \
            ACTIVATION_RETRY_INTERVAL="${GWE_ACTIVATION_RETRY_INTERVAL}" \
            BACKEND="${GWE_BACKEND}" \
            DDI_URL="${GWE_DDI_URL}" \
            DDI_TENANT="${GWE_DDI_TENANT}" \
            DDI_ID="${GWE_DDI_ID}" \
            DDI_TOKEN="${GWE_DDI_TOKEN}" \
            DDI_TOKEN_KIND="${GWE_DDI_TOKEN_KIND}" \
            DDI_INTERVAL="${GWE_DDI_INTERVAL}" \
            DDI_CONFIRM="${GWE_DDI_CONFIRM}" \
            LOG_LEVEL="${GWE_LOG_LEVEL}" \
            CACERT="$(in_unpackdir ${GWE_CACERT})" \
            TRUSTED_KEYS="$(in_unpackdir ${GWE_TRUSTED_KEYS})" \
            TRUSTED_ROOT_KEYS="$(in_unpackdir ${GWE_TRUSTED_ROOT_KEYS})" \
            KEY_SET="$(in_unpackdir ${GWE_KEY_SET})" \
            REQUIRE_SIGNATURES="${GWE_REQUIRE_SIGNATURES}" \
            APPLY="${GWE_APPLY}" \
            WINDOW="${GWE_WINDOW}" \
            MAX_HOLD="${GWE_MAX_HOLD}" \
            MAX_RATE="${GWE_MAX_RATE}" \
            MONTHLY_BYTES="${GWE_MONTHLY_BYTES}" \
            NO_DOWNLOADS_ON="${GWE_NO_DOWNLOADS_ON}" \
            APPS="$(in_unpackdir ${GWE_APPS})" \
            LOGDIR="${GWE_LOGDIR}" \
            DATA="${GWE_DATA}" \
            CHECKER="${GWE_CHECKER}"
    done
}

PACKAGES =+ "${PN}-gmq"

FILES:${PN} += " \
    ${localstatedir}/lib/gwe \
    ${prefix}/libexec/gwe \
    ${systemd_system_unitdir} \
"
FILES:${PN}-gmq += " \
    ${bindir}/gmq \
    ${sysconfdir}/gwe/gmq.cfg \
    ${sysconfdir}/gwe/logging.cfg \
    ${sysconfdir}/gwe/supervisor.d/gmq.conf \
"

CONFFILES:${PN} = " \
    ${sysconfdir}/default/gwe \
    ${sysconfdir}/gwe/Engine.config \
    ${sysconfdir}/gwe/Gateway.cfg \
    ${sysconfdir}/gwe/supervisord.conf \
    ${sysconfdir}/gwe/supervisor.d/gwe.conf \
"
CONFFILES:${PN}-gmq += " \
    ${sysconfdir}/gwe/gmq.cfg \
    ${sysconfdir}/gwe/logging.cfg \
    ${sysconfdir}/gwe/supervisor.d/gmq.conf \
"

RDEPENDS:${PN} += "${@'e2fsprogs-e2fsck e2fsprogs-mke2fs' if d.getVar('GWE_DATA') else ''}"
RDEPENDS:${PN}-gmq += "${PN}"
RRECOMMENDS:${PN} += "${PN}-gmq"
# Both have a program by that name.
RCONFLICTS:${PN} += "${@'' if 'hosting-python' in d.getVar('PACKAGECONFIG').split() else 'python3-supervisor'}"

CVE_PRODUCT = "exosite:gateway_engine"
# cargo_common.bbclass takes it for a crate of the registry. Only newer releases know the variable.
# nooelint: oelint.vars.mispell.unknown
SPDX_PACKAGE_URLS = "pkg:generic/exosite/gateway-engine@${PV}"
