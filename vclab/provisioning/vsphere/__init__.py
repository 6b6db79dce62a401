"""The vSphere provisioning module."""

from vclab.provisioning.vsphere.module import VSphere

__all__ = ["VSphere"]
