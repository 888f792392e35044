SUMMARY = "Gateway Engine with its queue"
DESCRIPTION = "The agent, the store-and-forward queue, supervisord and the roots that TLS needs."

inherit packagegroup

RDEPENDS:${PN} = " \
    ca-certificates \
    gwe \
    gwe-gmq \
"
