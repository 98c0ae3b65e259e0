set names latin1;
