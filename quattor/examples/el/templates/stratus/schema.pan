# Made by stratus-quattor from the site file; changes here are lost with the next export.
declaration template stratus/schema;

@documentation{
    A file of sections with keys and values, all of them texts.
}
type stratus_sections = string{}{};

@documentation{
    What libvirt's qemu.conf has to say so that machines run as oneadmin.
}
type stratus_qemu = {
    'user' : string
    'group' : string
    'dynamic_ownership' : boolean
} with SELF['user'] == SELF['group'] || error('user and group of qemu.conf have one name');
