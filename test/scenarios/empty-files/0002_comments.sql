-- nothing
/* at all; */