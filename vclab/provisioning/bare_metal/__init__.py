"""The bare-metal provisioning module: physical computers, switched by their BMC and loaded over the network."""
