unique template quattor/profile_base;

include 'quattor/rules';

bind '/' = stratus_test_profile;
bind '/software/packages' = dict{};
