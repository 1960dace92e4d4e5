unique template site/stratus/secrets;

# A site has its own, which is in no library that others read. This one is of no use to anybody.
variable STRATUS_DATABASE_PASSWORD ?= 'example-password';
