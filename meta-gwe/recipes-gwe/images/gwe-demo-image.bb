SUMMARY = "A bootable gateway with Gateway Engine"
DESCRIPTION = "The smallest image of the build's distribution, and packagegroup-gwe. It activates itself once GWE_PRODUCT_ID is set."
LICENSE = "Apache-2.0"

inherit core-image

IMAGE_INSTALL += "packagegroup-gwe"
