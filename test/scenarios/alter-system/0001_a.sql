alter system set work_mem = '4MB';
