/** The configurations that are used where the user names none. */
export type DefaultName = 'openshift' | 'linux';

/**
 * A default configuration, written like a user’s for the node’s own paths; `prepareConfiguration` makes it effective.
 *
 * `openshift`: Red Hat Enterprise Linux CoreOS, with what OpenShift itself changes left out: what the existing operator
 * watches, and `/usr`. `linux`: other nodes, such as Debian’s, Ubuntu’s or RHEL’s, set up by kubeadm or the like.
 */
export function defaultConfiguration(name: DefaultName): string {
  return name === 'openshift' ? OPENSHIFT : LINUX;
}

const HEAD = `@@define DBDIR /etc/kubernetes
@@define LOGDIR /etc/kubernetes
database_in=file:@@{DBDIR}/aide.db.gz
database_out=file:@@{DBDIR}/aide.db.gz.new
gzip_dbout=yes
report_url=file:@@{LOGDIR}/aide.log.new
`;

// How exclusions end decides what else they hide. A folder is left out with what is in it, and nothing that is called like it
// and longer: `-…(/|$)`. A file is left out by its whole name: `!…$`, which leaves a folder of that name to be walked.

/**
 * Of root's home what a login runs or goes by. The contract watches the permissions only of all that begins with a dot, since
 * programs write there as they run.
 */
const LOGIN = `# What root's logins, shells and editors run or go by
/root/\\.ssh/known_hosts(\\.old)?$ PERMS
/root/\\.ssh(/|$) CONTENT
/root/\\.(bashrc|bash_profile|bash_login|bash_logout|bash_aliases|bashrc\\.d|profile|inputrc)(/|$) CONTENT
/root/\\.(zshrc|zshenv|zprofile|zlogin|zlogout|kshrc|mkshrc|cshrc|tcshrc|login|logout)(/|$) CONTENT
/root/\\.(rhosts|shosts|k5login|forward|pam_environment|xprofile|xinitrc|xsession)(/|$) CONTENT
/root/\\.(vimrc|vim|exrc|nanorc|gitconfig|gdbinit|curlrc|wgetrc|local/bin)(/|$) CONTENT
/root/\\.config/(systemd|environment\\.d|fish|nvim|git|autostart)(/|$) CONTENT
/root/\\..* PERMS`;

const OPENSHIFT = `# Default of the File Integrity Operator for OpenShift nodes (RHEL CoreOS)
${HEAD}
PERMS = p+u+g+acl+selinux+xattrs
CONTENT = sha512+ftype+l+p+u+g+n+acl+selinux+xattrs

/boot CONTENT
${LOGIN}
/root CONTENT
/usr CONTENT
/etc CONTENT

-/root/\\.kube(/|$)
-/usr/src(/|$)
-/usr/tmp(/|$)
-/opt(/|$)
-/var(/|$)

# Written by the operating system
-/etc/NetworkManager/system-connections(/|$)
!/etc/mtab$
!/etc/.*~$
-/etc/selinux/targeted(/|$)
!/etc/openvswitch/conf\\.db(\\.tmp)?$
!/etc/pki/ca-trust/extracted/java/cacerts$

# Written by OpenShift and its operators
-/etc/kubernetes/static-pod-resources(/|$)
!/etc/kubernetes/aide\\.[^/]*$
-/etc/kubernetes/manifests(/|$)
!/etc/kubernetes/kubelet-ca\\.crt$
-/etc/kubernetes/cni/net\\.d(/|$)
-/etc/kubernetes/compliance-operator(/|$)
-/etc/kubernetes/node-feature-discovery(/|$)
-/etc/docker/certs\\.d(/|$)
!/etc/machine-config-daemon/currentconfig$
!/etc/machine-config-daemon/node-annotation\\.json[^/]*$
-/etc/cvo/updatepayloads(/|$)
-/etc/cni/multus/certs(/|$)
!/etc/mco/internal-registry-pull-secret\\.json$
`;

// /opt/cni/bin: the container runtime starts its programs as root. The rest of /opt is software that brings its own updates.
// /etc/kubernetes/manifests is watched here, unlike on OpenShift: what is put there runs, and kubeadm changes it only in an
// upgrade.
const LINUX = `# Default of the File Integrity Operator for Linux nodes
${HEAD}
PERMS = ftype+l+p+u+g+acl+selinux+xattrs
CONTENT = sha512+ftype+l+p+u+g+n+acl+selinux+xattrs

# Where /usr is merged, the short ones are links, and watched as such
/(bin|sbin|lib|lib32|lib64|libx32)(/|$) CONTENT
/boot CONTENT
${LOGIN}
/root CONTENT
/usr CONTENT
/opt/cni/bin CONTENT
/etc CONTENT

-/root/\\.cache(/|$)
-/root/\\.kube(/|$)
-/usr/src(/|$)
-/usr/tmp(/|$)

# Rewritten at each boot, or with a lease or a volume: who may write them still counts
/boot/grub2?/grubenv$ PERMS
/etc/(adjtime|resolv\\.conf)$ PERMS
!/etc/mtab$
!/etc/.*~$
-/etc/lvm/(archive|backup|cache|devices)(/|$)
!/etc/multipath/(bindings|wwids)$

# Written by the container network and by this operator
-/etc/cni/net\\.d(/|$)
!/etc/kubernetes/aide\\.[^/]*$
`;
