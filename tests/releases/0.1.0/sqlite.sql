BEGIN TRANSACTION;
CREATE TABLE addresses (
	id INTEGER NOT NULL, 
	computer VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	since DATETIME NOT NULL, 
	private_address VARCHAR NOT NULL, 
	public_address VARCHAR NOT NULL, 
	CONSTRAINT pk_addresses PRIMARY KEY (id), 
	CONSTRAINT fk_addresses_computer_tenures FOREIGN KEY(computer, generation) REFERENCES tenures (computer, generation)
);
INSERT INTO "addresses" VALUES(1,'vm01',1,'2026-11-28 19:19:24.923001','10.77.1.201','203.0.113.216');
INSERT INTO "addresses" VALUES(2,'lab02',1,'2026-11-28 19:19:36.496871','10.77.0.12','203.0.113.22');
INSERT INTO "addresses" VALUES(3,'lab01',1,'2026-11-28 19:19:47.531344','10.77.0.11','203.0.113.21');
INSERT INTO "addresses" VALUES(4,'vm01',2,'2026-11-28 19:19:53.463363','10.77.1.201','203.0.113.216');
INSERT INTO "addresses" VALUES(5,'vm02',1,'2026-11-28 19:19:57.929225','10.77.1.202','203.0.113.217');
INSERT INTO "addresses" VALUES(6,'vm01',3,'2026-11-28 19:20:01.165471','10.77.1.201','203.0.113.216');
INSERT INTO "addresses" VALUES(7,'vm02',2,'2026-11-28 19:20:05.866047','10.77.1.202','203.0.113.217');
INSERT INTO "addresses" VALUES(8,'vm01',5,'2026-11-28 19:20:14.814064','10.77.1.201','203.0.113.216');
INSERT INTO "addresses" VALUES(9,'metal01',1,'2026-11-28 19:20:47.725340','10.78.0.11','203.0.113.31');
INSERT INTO "addresses" VALUES(10,'metal01',2,'2026-11-28 19:21:07.536111','10.78.0.11','203.0.113.31');
INSERT INTO "addresses" VALUES(11,'metal01',3,'2026-11-28 19:21:09.963464','10.78.0.11','203.0.113.31');
INSERT INTO "addresses" VALUES(12,'vm01',6,'2026-11-28 19:21:16.678188','10.77.1.201','203.0.113.216');
INSERT INTO "addresses" VALUES(13,'metal01',4,'2026-11-28 19:21:28.985432','10.78.0.11','203.0.113.31');
INSERT INTO "addresses" VALUES(14,'vm03',3,'2026-11-28 19:23:08.980318','10.77.1.203','203.0.113.218');
INSERT INTO "addresses" VALUES(15,'vm01',7,'2026-11-28 19:23:30.714650','10.77.1.201','203.0.113.216');
INSERT INTO "addresses" VALUES(16,'vm03',4,'2026-11-28 19:23:34.171326','10.77.1.203','203.0.113.218');
INSERT INTO "addresses" VALUES(17,'vm04',1,'2026-11-28 19:23:51.529891','10.77.1.204','203.0.113.219');
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE captures (
	id VARCHAR NOT NULL, 
	reservation VARCHAR NOT NULL, 
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	title VARCHAR NOT NULL, 
	notes VARCHAR NOT NULL, 
	made_by VARCHAR NOT NULL, 
	becomes JSON NOT NULL, 
	throw_away JSON NOT NULL, 
	raw_sha256 VARCHAR NOT NULL, 
	began DATETIME NOT NULL, 
	ended DATETIME, 
	why_not VARCHAR NOT NULL, 
	CONSTRAINT pk_captures PRIMARY KEY (id), 
	CONSTRAINT fk_captures_reservation_reservations FOREIGN KEY(reservation) REFERENCES reservations (id)
);
INSERT INTO "captures" VALUES('43d8x8n5vxa','43d8wxh779d','demo-x8u9bm',1,'Debian 12 that says hello','','alice','{"capture": "43d8x8n5vxa", "image": "demo-x8u9bm", "revision": 1, "reservation": "43d8wxh779d", "computer": "vm01", "generation": 6, "access": {"login": "alice", "uid": 20001, "public_keys": [], "addresses": [], "password_ref": "", "sudo": false, "ports": [22]}, "boot_test": true, "force_off": false}','{}','2d0425e2ba1815156b5baf55d5a66ae5015f84ef55a69d8e07d27be4443d1e0c','2026-11-28 19:21:34.682403','2026-11-28 19:23:04.815943','');
CREATE TABLE claims (
	id INTEGER NOT NULL, 
	computer VARCHAR, 
	pool VARCHAR, 
	holder VARCHAR NOT NULL, 
	starts DATETIME NOT NULL, 
	ends DATETIME NOT NULL, 
	cpus INTEGER NOT NULL, 
	memory_mb INTEGER NOT NULL, 
	disk_gb INTEGER NOT NULL, 
	released BOOLEAN NOT NULL, 
	spare BOOLEAN NOT NULL, 
	CONSTRAINT pk_claims PRIMARY KEY (id), 
	CONSTRAINT fk_claims_computer_computers FOREIGN KEY(computer) REFERENCES computers (name), 
	CONSTRAINT fk_claims_pool_pools FOREIGN KEY(pool) REFERENCES pools (name), 
	CONSTRAINT ck_claims_ck_claims_one_thing CHECK ((computer IS NULL) <> (pool IS NULL)), 
	CONSTRAINT ck_claims_ck_claims_times CHECK (starts <= ends AND (released OR starts < ends)), 
	CONSTRAINT ck_claims_ck_claims_amounts CHECK (cpus >= 0 AND memory_mb >= 0 AND disk_gb >= 0)
);
INSERT INTO "claims" VALUES(1,NULL,'lab-vcenter/datastore/ds1','43d8vm83c3k','2026-11-28 19:19:20.953101','2026-11-28 19:19:32.277336',0,0,8,1,0);
INSERT INTO "claims" VALUES(2,NULL,'lab-vcenter/host/esx1','43d8vm83c3k','2026-11-28 19:19:20.953101','2026-11-28 19:19:32.277336',1,1024,0,1,0);
INSERT INTO "claims" VALUES(3,'lab02',NULL,'43d8vscq5db','2026-11-28 19:19:35.253644','2026-11-28 19:19:43.394440',0,0,0,1,0);
INSERT INTO "claims" VALUES(4,'lab01',NULL,'43d8vw73bkx','2026-11-28 19:19:46.295781','2026-11-28 19:19:48.685743',0,0,0,1,0);
INSERT INTO "claims" VALUES(5,NULL,'lab-vcenter/datastore/ds1','43d8vxu7hhq','2026-11-28 19:19:51.124274','2026-11-28 19:19:58.274228',0,0,16,1,0);
INSERT INTO "claims" VALUES(6,NULL,'lab-vcenter/host/esx1','43d8vxu7hhq','2026-11-28 19:19:51.124274','2026-11-28 19:19:58.274228',4,8192,0,1,0);
INSERT INTO "claims" VALUES(7,NULL,'lab-vcenter/datastore/ds1','43d8w35w4t4','2026-11-28 19:19:54.860455','2026-11-28 19:19:58.606675',0,0,16,1,0);
INSERT INTO "claims" VALUES(8,NULL,'lab-vcenter/host/esx2','43d8w35w4t4','2026-11-28 19:19:54.860455','2026-11-28 19:19:58.606675',4,8192,0,1,0);
INSERT INTO "claims" VALUES(9,NULL,'lab-vcenter/datastore/ds1','spare-vm01','2026-11-28 19:19:58.838450','2026-11-28 19:20:00.318860',0,0,16,1,1);
INSERT INTO "claims" VALUES(10,NULL,'lab-vcenter/host/esx1','spare-vm01','2026-11-28 19:19:58.838450','2026-11-28 19:20:00.318860',4,8192,0,1,1);
INSERT INTO "claims" VALUES(11,NULL,'lab-vcenter/datastore/ds1','spare-vm02','2026-11-28 19:19:59.199091','2026-11-28 19:20:03.842774',0,0,16,1,1);
INSERT INTO "claims" VALUES(12,NULL,'lab-vcenter/host/esx2','spare-vm02','2026-11-28 19:19:59.199091','2026-11-28 19:20:03.842774',4,8192,0,1,1);
INSERT INTO "claims" VALUES(13,NULL,'lab-vcenter/datastore/ds1','43d8w4ypkkx','2026-11-28 19:20:00.318860','2026-11-28 19:20:07.796875',0,0,16,1,0);
INSERT INTO "claims" VALUES(14,NULL,'lab-vcenter/host/esx1','43d8w4ypkkx','2026-11-28 19:20:00.318860','2026-11-28 19:20:07.796875',4,8192,0,1,0);
INSERT INTO "claims" VALUES(15,NULL,'lab-vcenter/datastore/ds1','43d8w69chht','2026-11-28 19:20:03.842774','2026-11-28 19:20:06.245996',0,0,16,1,0);
INSERT INTO "claims" VALUES(16,NULL,'lab-vcenter/host/esx2','43d8w69chht','2026-11-28 19:20:03.842774','2026-11-28 19:20:06.245996',4,12288,0,1,0);
INSERT INTO "claims" VALUES(17,NULL,'lab-vcenter/datastore/ds1','spare-vm02','2026-11-28 19:20:06.756848','2026-11-28 19:50:06.756848',0,0,16,0,1);
INSERT INTO "claims" VALUES(18,NULL,'lab-vcenter/host/esx2','spare-vm02','2026-11-28 19:20:06.756848','2026-11-28 19:50:06.756848',4,12288,0,0,1);
INSERT INTO "claims" VALUES(19,NULL,'lab-vcenter/datastore/ds1','43d8w8j7ntp','2026-11-28 19:20:10.565380','2026-11-28 19:20:17.783714',0,0,8,1,0);
INSERT INTO "claims" VALUES(20,NULL,'lab-vcenter/host/esx2','43d8w8j7ntp','2026-11-28 19:20:10.565380','2026-11-28 19:20:11.085065',1,1024,0,1,0);
INSERT INTO "claims" VALUES(21,NULL,'lab-vcenter/host/esx1','43d8w8j7ntp','2026-11-28 19:20:10.985950','2026-11-28 19:20:17.783714',1,1024,0,1,0);
INSERT INTO "claims" VALUES(22,'metal01',NULL,'43d8wcbqqax','2026-11-28 19:20:21.454901','2026-11-28 19:20:50.066466',0,0,0,1,0);
INSERT INTO "claims" VALUES(23,'metal01',NULL,'43d8wvkjdk9','2026-11-28 19:21:08.723746','2026-11-28 19:21:12.302819',0,0,0,1,0);
INSERT INTO "claims" VALUES(24,NULL,'lab-vcenter/datastore/ds1','43d8wxh779d','2026-11-28 19:21:14.246602','2026-11-28 19:23:11.477761',0,0,8,1,0);
INSERT INTO "claims" VALUES(25,NULL,'lab-vcenter/host/esx2','43d8wxh779d','2026-11-28 19:21:14.246602','2026-11-28 19:23:11.477761',1,1024,0,1,0);
INSERT INTO "claims" VALUES(26,NULL,'lab-vcenter/datastore/ds1','capture-43d8x8n5vxa','2026-11-28 19:21:34.682403','2026-11-28 19:23:04.815943',0,0,16,1,0);
INSERT INTO "claims" VALUES(27,NULL,'lab-vcenter/datastore/ds1','capture-43d8x8n5vxa/throw-away','2026-11-28 19:22:26.457402','2026-11-28 19:23:00.302362',0,0,8,1,0);
INSERT INTO "claims" VALUES(28,NULL,'lab-vcenter/host/esx1','capture-43d8x8n5vxa/throw-away','2026-11-28 19:22:26.457402','2026-11-28 19:23:00.302362',1,1024,0,1,0);
INSERT INTO "claims" VALUES(29,NULL,'lab-vcenter/datastore/ds1','capture-43d8x8n5vxa/throw-away','2026-11-28 19:23:00.353121','2026-11-28 19:23:04.804656',0,0,8,1,0);
INSERT INTO "claims" VALUES(30,NULL,'lab-vcenter/host/esx1','capture-43d8x8n5vxa/throw-away','2026-11-28 19:23:00.353121','2026-11-28 19:23:04.804656',1,1024,0,1,0);
INSERT INTO "claims" VALUES(31,NULL,'lab-vcenter/datastore/ds1','43d8yberaxy','2026-11-28 19:23:06.991188','2026-11-28 19:23:11.808132',0,0,8,1,0);
INSERT INTO "claims" VALUES(32,NULL,'lab-vcenter/host/esx2','43d8yberaxy','2026-11-28 19:23:06.991188','2026-11-28 19:23:11.808132',1,1024,0,1,0);
INSERT INTO "claims" VALUES(33,NULL,'lab-vcenter/datastore/ds2','43d8yfxve93','2026-11-28 19:23:20.239959','2026-11-28 19:24:50.892875',0,0,2,1,0);
INSERT INTO "claims" VALUES(34,NULL,'lab-vcenter/host/esx2','43d8yfxve93','2026-11-28 19:23:20.239959','2026-11-28 19:24:50.892875',1,512,0,1,0);
INSERT INTO "claims" VALUES(35,NULL,'lab-vcenter/datastore/ds2','copy-demo-eec4sp-1-lab-vcenter-datastore-ds2','2026-11-28 19:23:20.239959','2026-11-28 19:23:28.751743',0,0,2,1,0);
INSERT INTO "claims" VALUES(36,NULL,'lab-vcenter/datastore/ds2','43d8ym5nd5d','2026-11-28 19:23:32.235379','2026-11-28 19:24:51.229670',0,0,2,1,0);
INSERT INTO "claims" VALUES(37,NULL,'lab-vcenter/host/esx1','43d8ym5nd5d','2026-11-28 19:23:32.235379','2026-11-28 19:24:51.229670',1,512,0,1,0);
INSERT INTO "claims" VALUES(38,NULL,'lab-vcenter/datastore/ds2','43d8yprtysq','2026-11-28 19:23:39.916601','2026-11-28 19:24:51.631745',0,0,2,1,0);
INSERT INTO "claims" VALUES(39,NULL,'lab-vcenter/host/esx2','43d8yprtysq','2026-11-28 19:23:39.916601','2026-11-28 19:24:51.631745',1,512,0,1,0);
INSERT INTO "claims" VALUES(40,NULL,'lab-vcenter/datastore/ds2','copy-demo-eec4sp-2-lab-vcenter-datastore-ds2','2026-11-28 19:23:39.916601','2026-11-28 19:23:48.534815',0,0,2,1,0);
INSERT INTO "claims" VALUES(41,NULL,'lab-vcenter/datastore/ds2','spare-vm04','2026-11-28 19:24:52.084015','2026-11-28 19:54:52.084015',0,0,2,0,1);
INSERT INTO "claims" VALUES(42,NULL,'lab-vcenter/host/esx2','spare-vm04','2026-11-28 19:24:52.084015','2026-11-28 19:54:52.084015',1,512,0,0,1);
CREATE TABLE computers (
	name VARCHAR NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	pool VARCHAR NOT NULL, 
	private_mac VARCHAR, 
	public_mac VARCHAR, 
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	tainted BOOLEAN NOT NULL, 
	host_key VARCHAR NOT NULL, 
	host_key_from VARCHAR NOT NULL, 
	private_address VARCHAR NOT NULL, 
	public_address VARCHAR NOT NULL, 
	notes VARCHAR NOT NULL, 
	why_out_of_service VARCHAR NOT NULL, 
	leaving BOOLEAN NOT NULL, 
	why_leaving VARCHAR NOT NULL, 
	returns_at DATETIME, 
	load_intent VARCHAR NOT NULL, 
	load_image VARCHAR NOT NULL, 
	load_revision INTEGER NOT NULL, 
	off_since DATETIME, 
	checked_at DATETIME NOT NULL, 
	check_found VARCHAR NOT NULL, 
	check_repair VARCHAR NOT NULL, 
	power VARCHAR NOT NULL, 
	power_password_ref VARCHAR NOT NULL, 
	power_fingerprint VARCHAR NOT NULL, 
	hardware VARCHAR NOT NULL, 
	hardware_at DATETIME, 
	module_data VARCHAR NOT NULL, 
	failed_generation INTEGER NOT NULL, 
	removed_at DATETIME, 
	CONSTRAINT pk_computers PRIMARY KEY (name), 
	CONSTRAINT uq_computers_private_mac UNIQUE (private_mac), 
	CONSTRAINT uq_computers_public_mac UNIQUE (public_mac)
);
INSERT INTO "computers" VALUES('vm01','virtualmachine','available','vm','02:76:63:00:00:01','02:76:63:01:00:01','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755436','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm02','virtualmachine','available','vm','02:76:63:00:00:02','02:76:63:01:00:02','whole-host',1,0,'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdSy+TVzIe43CdniOX9f30hN8wQG07XehMiyjyWLfTI','','10.77.1.202','203.0.113.217','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755443','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm03','virtualmachine','available','vm','02:76:63:00:00:03','02:76:63:01:00:03','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755445','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm04','virtualmachine','available','vm','02:76:63:00:00:04','02:76:63:01:00:04','demo-eec4sp',2,0,'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3ispRaEAaoDmsOsHoKG1yMv/iolKaH5yuR8HxrGTGO','endpoint','10.77.1.204','203.0.113.219','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755448','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm05','virtualmachine','available','vm','02:76:63:00:00:05','02:76:63:01:00:05','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755451','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm06','virtualmachine','available','vm','02:76:63:00:00:06','02:76:63:01:00:06','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755453','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm07','virtualmachine','available','vm','02:76:63:00:00:07','02:76:63:01:00:07','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755455','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm08','virtualmachine','available','vm','02:76:63:00:00:08','02:76:63:01:00:08','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755459','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm09','virtualmachine','available','vm','02:76:63:00:00:09','02:76:63:01:00:09','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755461','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm10','virtualmachine','available','vm','02:76:63:00:00:0a','02:76:63:01:00:0a','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755464','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm11','virtualmachine','available','vm','02:76:63:00:00:0b','02:76:63:01:00:0b','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755466','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm12','virtualmachine','available','vm','02:76:63:00:00:0c','02:76:63:01:00:0c','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755468','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm13','virtualmachine','available','vm','02:76:63:00:00:0d','02:76:63:01:00:0d','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755471','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm14','virtualmachine','available','vm','02:76:63:00:00:0e','02:76:63:01:00:0e','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755473','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm15','virtualmachine','available','vm','02:76:63:00:00:0f','02:76:63:01:00:0f','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755475','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm16','virtualmachine','available','vm','02:76:63:00:00:10','02:76:63:01:00:10','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755478','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm17','virtualmachine','available','vm','02:76:63:00:00:11','02:76:63:01:00:11','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755480','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm18','virtualmachine','available','vm','02:76:63:00:00:12','02:76:63:01:00:12','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755482','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm19','virtualmachine','available','vm','02:76:63:00:00:13','02:76:63:01:00:13','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755485','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm20','virtualmachine','available','vm','02:76:63:00:00:14','02:76:63:01:00:14','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755487','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm21','virtualmachine','available','vm','02:76:63:00:00:15','02:76:63:01:00:15','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755489','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm22','virtualmachine','available','vm','02:76:63:00:00:16','02:76:63:01:00:16','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755492','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm23','virtualmachine','available','vm','02:76:63:00:00:17','02:76:63:01:00:17','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755494','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm24','virtualmachine','available','vm','02:76:63:00:00:18','02:76:63:01:00:18','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755497','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm25','virtualmachine','available','vm','02:76:63:00:00:19','02:76:63:01:00:19','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755499','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm26','virtualmachine','available','vm','02:76:63:00:00:1a','02:76:63:01:00:1a','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755501','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm27','virtualmachine','available','vm','02:76:63:00:00:1b','02:76:63:01:00:1b','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755504','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm28','virtualmachine','available','vm','02:76:63:00:00:1c','02:76:63:01:00:1c','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755506','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm29','virtualmachine','available','vm','02:76:63:00:00:1d','02:76:63:01:00:1d','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755509','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm30','virtualmachine','available','vm','02:76:63:00:00:1e','02:76:63:01:00:1e','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755511','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm31','virtualmachine','available','vm','02:76:63:00:00:1f','02:76:63:01:00:1f','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755513','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm32','virtualmachine','available','vm','02:76:63:00:00:20','02:76:63:01:00:20','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755516','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm33','virtualmachine','available','vm','02:76:63:00:00:21','02:76:63:01:00:21','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755518','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm34','virtualmachine','available','vm','02:76:63:00:00:22','02:76:63:01:00:22','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755520','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm35','virtualmachine','available','vm','02:76:63:00:00:23','02:76:63:01:00:23','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755523','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm36','virtualmachine','available','vm','02:76:63:00:00:24','02:76:63:01:00:24','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755525','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm37','virtualmachine','available','vm','02:76:63:00:00:25','02:76:63:01:00:25','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755527','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm38','virtualmachine','available','vm','02:76:63:00:00:26','02:76:63:01:00:26','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755530','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm39','virtualmachine','available','vm','02:76:63:00:00:27','02:76:63:01:00:27','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755532','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('vm40','virtualmachine','available','vm','02:76:63:00:00:28','02:76:63:01:00:28','',0,0,'','','','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.755534','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('lab01','lab','available','lab-machines','02:76:62:00:00:01','02:76:62:01:00:01','',0,0,'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINKdf/pD58bGyDqHhskaYgmbVaUDxWy9Lia+34vHH1i','','10.77.0.11','203.0.113.21','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.762875','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('lab02','lab','available','lab-machines','02:76:62:00:00:02','02:76:62:01:00:02','',0,0,'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOzS5OxHdeXYixA+M0p+NaJIQ6bXjTWH5Zhrki1CNNMQ','','10.77.0.12','203.0.113.22','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.764233','','','','','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('metal01','lab','available','metal','02:76:6d:00:00:01','02:76:6d:01:00:01','debian-12-metal',1,0,'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBR/12EnyXMvhQAsBzeFU+dFY0Gq8FWNVKMdcRnEIlnl','','10.78.0.11','203.0.113.31','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.785888','','','ipmi://admin@127.78.0.1:623','power/metal01/lab','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('metal02','lab','available','metal','02:76:6d:00:00:02','02:76:6d:01:00:02','',0,0,'','','10.78.0.12','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.790959','','','ipmi://admin@127.78.0.2:623','power/metal02/lab','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('metal03','lab','available','metal','02:76:6d:00:00:03','02:76:6d:01:00:03','',0,0,'','','10.78.0.13','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.797323','','','ipmi://admin@127.78.0.3:623','power/metal03/lab','','',NULL,'',0,NULL);
INSERT INTO "computers" VALUES('metal04','lab','available','metal','02:76:6d:00:00:04','02:76:6d:01:00:04','',0,0,'','','10.78.0.14','','','',0,'',NULL,'','',0,NULL,'2026-11-28 19:19:14.799466','','','redfish://admin@127.78.0.4:443','power/metal04/lab','bdc943fe8b81812e85a719bd721def15464d12354f1c3255c7f5eee835062c43','',NULL,'',0,NULL);
CREATE TABLE copies (
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	place VARCHAR NOT NULL, 
	endpoint VARCHAR, 
	storage VARCHAR NOT NULL, 
	path VARCHAR NOT NULL, 
	ours BOOLEAN NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	why VARCHAR NOT NULL, 
	since DATETIME NOT NULL, 
	seen_at DATETIME, 
	verified_at DATETIME, 
	tried_at DATETIME, 
	kept BOOLEAN NOT NULL, 
	CONSTRAINT pk_copies PRIMARY KEY (image, revision, place), 
	CONSTRAINT fk_copies_image_revisions FOREIGN KEY(image, revision) REFERENCES revisions (image, number), 
	CONSTRAINT fk_copies_endpoint_endpoints FOREIGN KEY(endpoint) REFERENCES endpoints (name)
);
INSERT INTO "copies" VALUES('debian-12',1,'lab-vcenter/datastore/ds1','lab-vcenter','ds1','',0,'usable','','2026-11-28 19:19:14.736964','2026-11-28 19:19:14.736964',NULL,NULL,0);
INSERT INTO "copies" VALUES('debian-12-large',1,'lab-vcenter/datastore/ds1','lab-vcenter','ds1','',0,'usable','','2026-11-28 19:19:14.736964','2026-11-28 19:19:14.736964',NULL,NULL,0);
INSERT INTO "copies" VALUES('debian-12-metal',1,'repository/main',NULL,'main','',1,'usable','','2026-11-28 19:19:14.736964','2026-11-28 19:19:14.736964','2026-11-28 19:19:14.736964',NULL,0);
INSERT INTO "copies" VALUES('whole-host',1,'lab-vcenter/datastore/ds1','lab-vcenter','ds1','',0,'usable','','2026-11-28 19:20:03.250564','2026-11-28 19:20:03.250564',NULL,NULL,0);
INSERT INTO "copies" VALUES('demo-eec4sp',1,'repository/main',NULL,'main','',1,'usable','','2026-11-28 19:23:19.691873','2026-11-28 19:23:19.691873','2026-11-28 19:23:19.691873',NULL,0);
INSERT INTO "copies" VALUES('demo-eec4sp',2,'repository/main',NULL,'main','',1,'usable','','2026-11-28 19:23:39.073577','2026-11-28 19:23:39.073577','2026-11-28 19:23:39.073577',NULL,0);
INSERT INTO "copies" VALUES('demo-eec4sp',2,'lab-vcenter/datastore/ds2','lab-vcenter','ds2','[ds2] vclab/images.of_vclab-f1d1d488/demo-eec4sp.2/disk.vmdk',1,'usable','','2026-11-28 19:23:48.534815','2026-11-28 19:23:48.534815',NULL,NULL,0);
CREATE TABLE copy_waiters (
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	place VARCHAR NOT NULL, 
	reservation VARCHAR NOT NULL, 
	since DATETIME NOT NULL, 
	CONSTRAINT pk_copy_waiters PRIMARY KEY (image, revision, place, reservation), 
	CONSTRAINT fk_copy_waiters_copies FOREIGN KEY(image, revision, place) REFERENCES copies (image, revision, place) ON DELETE CASCADE
);
CREATE TABLE device_codes (
	digest VARCHAR NOT NULL, 
	user_code VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	scopes JSON NOT NULL, 
	address VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	expires_at DATETIME NOT NULL, 
	interval DOUBLE NOT NULL, 
	asked_at DATETIME, 
	decided_at DATETIME, 
	user VARCHAR NOT NULL, 
	provider VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	mfa BOOLEAN NOT NULL, 
	CONSTRAINT pk_device_codes PRIMARY KEY (digest), 
	CONSTRAINT uq_device_codes_user_code UNIQUE (user_code)
);
CREATE TABLE disk_children (
	computer VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	place VARCHAR NOT NULL, 
	since DATETIME NOT NULL, 
	CONSTRAINT pk_disk_children PRIMARY KEY (computer, generation), 
	CONSTRAINT fk_disk_children_computer_computers FOREIGN KEY(computer) REFERENCES computers (name), 
	CONSTRAINT fk_disk_children_copies FOREIGN KEY(image, revision, place) REFERENCES copies (image, revision, place)
);
INSERT INTO "disk_children" VALUES('vm02',1,'debian-12-large',1,'lab-vcenter/datastore/ds1','2026-11-28 19:19:54.860455');
INSERT INTO "disk_children" VALUES('vm02',2,'whole-host',1,'lab-vcenter/datastore/ds1','2026-11-28 19:20:03.842774');
INSERT INTO "disk_children" VALUES('vm04',1,'demo-eec4sp',2,'lab-vcenter/datastore/ds2','2026-11-28 19:23:48.555963');
CREATE TABLE emergency_codes (
	digest VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	made_by VARCHAR NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	used_from VARCHAR NOT NULL, 
	CONSTRAINT pk_emergency_codes PRIMARY KEY (digest)
);
CREATE TABLE endpoints (
	name VARCHAR NOT NULL, 
	module VARCHAR NOT NULL, 
	url VARCHAR NOT NULL, 
	username VARCHAR NOT NULL, 
	password_ref VARCHAR NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	site VARCHAR NOT NULL, 
	cpu_overcommit DOUBLE NOT NULL, 
	memory_reserve_mb INTEGER NOT NULL, 
	module_data VARCHAR NOT NULL, 
	after_use VARCHAR(20) NOT NULL, 
	disabled_at DATETIME, 
	disabled_why VARCHAR NOT NULL, 
	removed_at DATETIME, 
	CONSTRAINT pk_endpoints PRIMARY KEY (name)
);
INSERT INTO "endpoints" VALUES('lab-vcenter','vsphere','https://127.93.79.151:8989/sdk','vclab@vsphere.local','endpoint/lab-vcenter','1b08be8074869c6deb927be836e93f4c91d41b5e5988872af01f8ddff6452146','default',4.0,1024,'{"version":1,"folder":"vclab","private_network":"private","public_network":"public","imaging_network":"imaging","datacenter":"","resource_pool":"","free_floor":15,"host_policy":"best-fit","datastore_policy":"spread"}','on',NULL,'',NULL);
INSERT INTO "endpoints" VALUES('lab-machines','standalone','','','','','default',4.0,1024,'','on',NULL,'',NULL);
INSERT INTO "endpoints" VALUES('metal','bare-metal','','','','','default',4.0,1024,'','on',NULL,'',NULL);
CREATE TABLE events (
	id INTEGER NOT NULL, 
	reservation VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	who VARCHAR NOT NULL, 
	what VARCHAR NOT NULL, 
	detail VARCHAR NOT NULL, 
	act VARCHAR NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (id)
);
INSERT INTO "events" VALUES(1,'43d8vm83c3k','2026-11-28 19:19:20.953101','alice','reserved','on esx1','93b83fa2663e4f7789b3026cd53430ee');
INSERT INTO "events" VALUES(2,'43d8vm83c3k','2026-11-28 19:19:24.923001','vclab','ready','203.0.113.216','');
INSERT INTO "events" VALUES(3,'43d8vm83c3k','2026-11-28 19:19:25.850284','alice','acknowledged','203.0.113.11','935bde5811a24a0eb547e94df3e91b2e');
INSERT INTO "events" VALUES(4,'43d8vm83c3k','2026-11-28 19:19:26.589674','vclab','access opened','203.0.113.11','');
INSERT INTO "events" VALUES(5,'43d8vm83c3k','2026-11-28 19:19:31.500572','alice','extended','until 2026-11-28 20:49 UTC','c12c65efd2b647f4a9a2152b1214675e');
INSERT INTO "events" VALUES(6,'43d8vm83c3k','2026-11-28 19:19:32.277336','alice','ended: released','','1d971ca295874d33aa0a18dd27b1b867');
INSERT INTO "events" VALUES(7,'43d8vm83c3k','2026-11-28 19:19:32.788276','vclab','finished','removed, not kept as a spare: tainted: alice was let in with root rights','');
INSERT INTO "events" VALUES(8,'43d8vscq5db','2026-11-28 19:19:35.253644','alice','reserved','on lab02','1743d0f327164dc0860c4a8eb6c1f787');
INSERT INTO "events" VALUES(9,'43d8vscq5db','2026-11-28 19:19:36.496871','vclab','ready','203.0.113.22','');
INSERT INTO "events" VALUES(10,'43d8vtb7jjs','2026-11-28 19:19:38.013887','olga','refused','no lab machine is free at that time; there is room from 2026-11-28 20:25 UTC on, for 1 h (lab-machines/lab01: somebody is logged in at it: root on console, root on the console; lab-machines/lab02: is held by 43d8vscq5db, probably until 2026-11-28 20:24 UTC)','224194f8dc97440693c55e4ad74df539');
INSERT INTO "events" VALUES(11,'43d8vscq5db','2026-11-28 19:19:39.002356','alice','acknowledged','203.0.113.11','0c971438c8e24a62aa2a42f02d91887c');
INSERT INTO "events" VALUES(12,'43d8vscq5db','2026-11-28 19:19:39.377882','vclab','access opened','203.0.113.11','');
INSERT INTO "events" VALUES(13,'43d8vscq5db','2026-11-28 19:19:43.394440','alice','ended: released','','eb1252456f0949669872a3ac3f96a3b2');
INSERT INTO "events" VALUES(14,'43d8vscq5db','2026-11-28 19:19:44.881940','vclab','finished','','');
INSERT INTO "events" VALUES(15,'43d8vw73bkx','2026-11-28 19:19:46.295781','alice','reserved','on lab01','abd0e18fd8e245d6a8e4a013e86b5a2d');
INSERT INTO "events" VALUES(16,'43d8vw73bkx','2026-11-28 19:19:47.531344','vclab','ready','203.0.113.21','');
INSERT INTO "events" VALUES(17,'43d8vw73bkx','2026-11-28 19:19:48.685743','alice','ended: deleted','','c4fe775854e9454f8b4403ae680a72fb');
INSERT INTO "events" VALUES(18,'43d8vw73bkx','2026-11-28 19:19:49.213667','vclab','finished','','');
INSERT INTO "events" VALUES(19,'43d8vxu7hhq','2026-11-28 19:19:51.124274','alice','reserved','on esx1','5c3935e5150d4b2fbc76b7f07d9fcf15');
INSERT INTO "events" VALUES(20,'43d8vxu7hhq','2026-11-28 19:19:53.463363','vclab','ready','203.0.113.216','');
INSERT INTO "events" VALUES(21,'43d8w35w4t4','2026-11-28 19:19:54.860455','bob','reserved','on esx2','0f5b573c6a6f41e9a5eaac0b1b272f9d');
INSERT INTO "events" VALUES(22,'43d8w35w4t4','2026-11-28 19:19:57.929225','vclab','ready','203.0.113.217','');
INSERT INTO "events" VALUES(23,'43d8vxu7hhq','2026-11-28 19:19:58.274228','olga','ended: deleted','ended by olga','d81e7692668248a7a04c381d15d35cad');
INSERT INTO "events" VALUES(24,'43d8w35w4t4','2026-11-28 19:19:58.606675','olga','ended: deleted','ended by olga','9d76deff14654bfcabd2686159cd7428');
INSERT INTO "events" VALUES(25,'43d8vxu7hhq','2026-11-28 19:19:58.838450','vclab','finished','clean: kept as a spare until 2026-11-28 19:49 UTC','');
INSERT INTO "events" VALUES(26,'43d8w35w4t4','2026-11-28 19:19:59.199091','vclab','finished','clean: kept as a spare until 2026-11-28 19:49 UTC','');
INSERT INTO "events" VALUES(27,'43d8w4ypkkx','2026-11-28 19:20:00.318860','carol','reserved','on esx1','645389eb0f914f928bf7f6336bfa2f47');
INSERT INTO "events" VALUES(28,'43d8w4ypkkx','2026-11-28 19:20:01.165471','vclab','ready','203.0.113.216','');
INSERT INTO "events" VALUES(29,'43d8w4ypkkx','2026-11-28 19:20:01.741256','carol','acknowledged','203.0.113.13','091cf845e697465d90c98cc1e485d1b5');
INSERT INTO "events" VALUES(30,'43d8w4ypkkx','2026-11-28 19:20:02.118250','vclab','access opened','203.0.113.13','');
INSERT INTO "events" VALUES(31,'43d8w69chht','2026-11-28 19:20:03.842774','vclab','evicted','spares in the way: vm02','');
INSERT INTO "events" VALUES(32,'43d8w69chht','2026-11-28 19:20:03.842774','olga','reserved','on esx2','5f9d73d911f6494c8d2ccf3fc69ceb37');
INSERT INTO "events" VALUES(33,'43d8w69chht','2026-11-28 19:20:05.866047','vclab','ready','203.0.113.217','');
INSERT INTO "events" VALUES(34,'43d8w69chht','2026-11-28 19:20:06.245996','olga','ended: deleted','','3849f153f8f04d0eae7abc5606b12d0f');
INSERT INTO "events" VALUES(35,'43d8w69chht','2026-11-28 19:20:06.756848','vclab','finished','clean: kept as a spare until 2026-11-28 19:50 UTC','');
INSERT INTO "events" VALUES(36,'43d8w4ypkkx','2026-11-28 19:20:07.796875','carol','ended: released','','22da09e2f9b442dbae09cd92d17a89be');
INSERT INTO "events" VALUES(37,'43d8w4ypkkx','2026-11-28 19:20:08.327057','vclab','finished','removed, not kept as a spare: tainted: carol was let in with root rights','');
INSERT INTO "events" VALUES(38,'43d8w8j7ntp','2026-11-28 19:20:10.565380','alice','reserved','on esx2','9072c5eca5e44bc9bb45e146a59c71ab');
INSERT INTO "events" VALUES(39,'43d8w8j7ntp','2026-11-28 19:20:10.732405','vclab','step failed','Power it on on esx2: host esx2 refuses to power on vm01-43d8w8j7ntp-g4: InsufficientResourcesFault','');
INSERT INTO "events" VALUES(40,'43d8w8j7ntp','2026-11-28 19:20:11.085065','vclab','moved','from esx2 to esx1','');
INSERT INTO "events" VALUES(41,'43d8w8j7ntp','2026-11-28 19:20:11.296126','vclab','step failed','Power it on on esx1: host esx1 refuses to power on vm01-43d8w8j7ntp-g5: InsufficientResourcesFault','');
INSERT INTO "events" VALUES(42,'43d8w8j7ntp','2026-11-28 19:20:11.326713','vclab','needs help','step 3, Power it on: host esx1 refuses to power on vm01-43d8w8j7ntp-g5: InsufficientResourcesFault','');
INSERT INTO "events" VALUES(43,'43d8w8j7ntp','2026-11-28 19:20:12.979879','olga','resolved: retry','','eb78386875404566808e09c5f6b1849f');
INSERT INTO "events" VALUES(44,'43d8w8j7ntp','2026-11-28 19:20:12.979879','vclab','credited','2 s were lost through a fault of the lab; the end is now 2026-11-28 20:20 UTC','');
INSERT INTO "events" VALUES(45,'43d8w8j7ntp','2026-11-28 19:20:14.814064','vclab','ready','203.0.113.216','');
INSERT INTO "events" VALUES(46,'43d8w8j7ntp','2026-11-28 19:20:16.066418','alice','acknowledged','203.0.113.11','b5da240852584428a100b6224ee35e72');
INSERT INTO "events" VALUES(47,'43d8w8j7ntp','2026-11-28 19:20:16.439349','vclab','access opened','203.0.113.11','');
INSERT INTO "events" VALUES(48,'43d8w8j7ntp','2026-11-28 19:20:17.783714','alice','ended: released','','50d4afeeedb84eea89f5c59aee4f2e8e');
INSERT INTO "events" VALUES(49,'43d8w8j7ntp','2026-11-28 19:20:18.175095','vclab','finished','removed, not kept as a spare: tainted: alice was let in with root rights','');
INSERT INTO "events" VALUES(50,'43d8wcbqqax','2026-11-28 19:20:21.454901','alice','reserved','on metal01','f969cdd226814dd694b4cbf5ae81f883');
INSERT INTO "events" VALUES(51,'43d8wcbqqax','2026-11-28 19:20:47.725340','vclab','ready','203.0.113.31','');
INSERT INTO "events" VALUES(52,'43d8wcbqqax','2026-11-28 19:20:48.180881','alice','acknowledged','203.0.113.11','f9e8ccfd9ff0424d81f39746d9bfc791');
INSERT INTO "events" VALUES(53,'43d8wcbqqax','2026-11-28 19:20:48.593055','vclab','access opened','203.0.113.11','');
INSERT INTO "events" VALUES(54,'43d8wcbqqax','2026-11-28 19:20:50.066466','alice','ended: released','','ee46cc1c004e4df3a4347fb3b50d7e7f');
INSERT INTO "events" VALUES(55,'43d8wcbqqax','2026-11-28 19:20:50.682892','vclab','finished','loaded anew: tainted: alice was let in with root rights','');
INSERT INTO "events" VALUES(56,'computer-metal01','2026-11-28 19:20:50.710104','vclab','load begins','generation 2: debian-12-metal, revision 1','');
INSERT INTO "events" VALUES(57,'computer-metal01','2026-11-28 19:21:07.536111','vclab','loaded','generation 2','');
INSERT INTO "events" VALUES(58,'43d8wvkjdk9','2026-11-28 19:21:08.723746','bob','reserved','on metal01','3fc8d2c93f9b4d8e99b51116b73230bd');
INSERT INTO "events" VALUES(59,'43d8wvkjdk9','2026-11-28 19:21:09.963464','vclab','ready','203.0.113.31','');
INSERT INTO "events" VALUES(60,'43d8wvkjdk9','2026-11-28 19:21:11.126891','bob','acknowledged','203.0.113.12','28cd84adbe414c1a8492c7e66361801f');
INSERT INTO "events" VALUES(61,'43d8wvkjdk9','2026-11-28 19:21:11.531067','vclab','access opened','203.0.113.12','');
INSERT INTO "events" VALUES(62,'43d8wvkjdk9','2026-11-28 19:21:12.302819','bob','ended: released','','b2b2e2c31a4941169409d2e2343c340d');
INSERT INTO "events" VALUES(63,'43d8wvkjdk9','2026-11-28 19:21:12.968151','vclab','finished','loaded anew: tainted: bob was let in with root rights','');
INSERT INTO "events" VALUES(64,'computer-metal01','2026-11-28 19:21:13.024813','vclab','load begins','generation 4: debian-12-metal, revision 1','');
INSERT INTO "events" VALUES(65,'43d8wxh779d','2026-11-28 19:21:14.246602','alice','reserved','on esx2','b24ba0ae0c444a9db1d8ca48e2a68788');
INSERT INTO "events" VALUES(66,'43d8wxh779d','2026-11-28 19:21:16.678188','vclab','ready','203.0.113.216','');
INSERT INTO "events" VALUES(67,'43d8wxh779d','2026-11-28 19:21:17.721817','alice','acknowledged','203.0.113.11','251228a39c76497280b8b6bc02a536d0');
INSERT INTO "events" VALUES(68,'43d8wxh779d','2026-11-28 19:21:18.126253','vclab','access opened','203.0.113.11','');
INSERT INTO "events" VALUES(69,'computer-metal01','2026-11-28 19:21:28.985432','vclab','loaded','generation 4','');
INSERT INTO "events" VALUES(70,'43d8wxh779d','2026-11-28 19:21:33.702040','alice','connected','','');
INSERT INTO "events" VALUES(71,'43d8wxh779d','2026-11-28 19:21:34.682403','alice','capture begins','demo-x8u9bm/1','f7ed277f36b344a980c2dd800c285274');
INSERT INTO "events" VALUES(72,'43d8wxh779d','2026-11-28 19:22:25.084296','vclab','raw copy taken','SHA-256 2d0425e2ba1815156b5baf55d5a66ae5015f84ef55a69d8e07d27be4443d1e0c','');
INSERT INTO "events" VALUES(73,'43d8wxh779d','2026-11-28 19:23:04.815943','vclab','captured','demo-x8u9bm/1','');
INSERT INTO "events" VALUES(74,'43d8yberaxy','2026-11-28 19:23:06.991188','bob','reserved','on esx2','522ab10a925e40e6b327bb1d8cc5498f');
INSERT INTO "events" VALUES(75,'43d8yberaxy','2026-11-28 19:23:08.980318','vclab','ready','203.0.113.218','');
INSERT INTO "events" VALUES(76,'43d8yberaxy','2026-11-28 19:23:09.411428','bob','acknowledged','203.0.113.12','cdc79d84709b4b1481a3e5b54a1ca20d');
INSERT INTO "events" VALUES(77,'43d8yberaxy','2026-11-28 19:23:09.761004','vclab','access opened','203.0.113.12','');
INSERT INTO "events" VALUES(78,'43d8wxh779d','2026-11-28 19:23:11.477761','alice','ended: released','','54eb631f3a274ad6aa27300ee11d716e');
INSERT INTO "events" VALUES(79,'43d8wxh779d','2026-11-28 19:23:11.772887','vclab','finished','','');
INSERT INTO "events" VALUES(80,'43d8yberaxy','2026-11-28 19:23:11.808132','bob','ended: released','','f6fbc78cfdaf43bc9573fd0c78fdbdf6');
INSERT INTO "events" VALUES(81,'43d8yberaxy','2026-11-28 19:23:12.198788','vclab','finished','removed, not kept as a spare: tainted: bob was let in with root rights','');
INSERT INTO "events" VALUES(82,'43d8yfxve93','2026-11-28 19:23:20.239959','alice','reserved','on esx2','63017b198ce34ba7b4dc3461252a83cb');
INSERT INTO "events" VALUES(83,'43d8yfxve93','2026-11-28 19:23:30.714650','vclab','ready','203.0.113.216','');
INSERT INTO "events" VALUES(84,'43d8ym5nd5d','2026-11-28 19:23:32.235379','bob','reserved','on esx1','34eb37c47b8e4eeba1cfcae644145012');
INSERT INTO "events" VALUES(85,'43d8ym5nd5d','2026-11-28 19:23:34.171326','vclab','ready','203.0.113.218','');
INSERT INTO "events" VALUES(86,'43d8yprtysq','2026-11-28 19:23:39.916601','carol','reserved','on esx2','7b5cded9b71d4e3597aabd30fdd0c5bd');
INSERT INTO "events" VALUES(87,'43d8yprtysq','2026-11-28 19:23:51.529891','vclab','ready','203.0.113.219','');
INSERT INTO "events" VALUES(88,'43d8yfxve93','2026-11-28 19:23:52.776106','alice','acknowledged','203.0.113.11','24b5bc1de6da408ebe2c4a9f887e86dd');
INSERT INTO "events" VALUES(89,'43d8yfxve93','2026-11-28 19:23:53.172958','vclab','access opened','203.0.113.11','');
INSERT INTO "events" VALUES(90,'image-demo-x8u9bm','2026-11-28 19:24:00.041331','vclab','copy deleted','demo-x8u9bm/1 on ds1 of lab-vcenter','');
INSERT INTO "events" VALUES(91,'43d8yfxve93','2026-11-28 19:24:08.748229','alice','connected','','');
INSERT INTO "events" VALUES(92,'43d8yfxve93','2026-11-28 19:24:50.892875','alice','ended: released','','7487716450f047d78406db9cbc33d31e');
INSERT INTO "events" VALUES(93,'43d8ym5nd5d','2026-11-28 19:24:51.229670','bob','ended: deleted','','6840c012c85a4b548107636340372206');
INSERT INTO "events" VALUES(94,'43d8yfxve93','2026-11-28 19:24:51.254646','vclab','finished','','');
INSERT INTO "events" VALUES(95,'43d8yprtysq','2026-11-28 19:24:51.631745','carol','ended: deleted','','1dbdd4939c4e478ebbbd4234a1bfd272');
INSERT INTO "events" VALUES(96,'43d8ym5nd5d','2026-11-28 19:24:51.912376','vclab','finished','removed, not kept as a spare: revision 1 of demo-eec4sp is no longer in production','');
INSERT INTO "events" VALUES(97,'43d8yprtysq','2026-11-28 19:24:52.084015','vclab','finished','clean: kept as a spare until 2026-11-28 19:54 UTC','');
INSERT INTO "events" VALUES(98,'image-demo-eec4sp','2026-11-28 19:25:00.024548','vclab','copy deleted','demo-eec4sp/1 on ds2 of lab-vcenter','');
CREATE TABLE failed_steps (
	id INTEGER NOT NULL, 
	reservation VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	computer VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	host VARCHAR NOT NULL, 
	step VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	title VARCHAR NOT NULL, 
	cause VARCHAR NOT NULL, 
	in_guest BOOLEAN NOT NULL, 
	evidence JSON NOT NULL, 
	CONSTRAINT pk_failed_steps PRIMARY KEY (id), 
	CONSTRAINT uq_failed_steps_reservation UNIQUE (reservation, generation, step, at)
);
INSERT INTO "failed_steps" VALUES(1,'43d8w8j7ntp','2026-11-28 19:20:10.732405','vm01',4,'esx2','vsphere.power_on',3,'Power it on','host esx2 refuses to power on vm01-43d8w8j7ntp-g4: InsufficientResourcesFault',0,'{"power": "off", "endpoint": ["vm01-43d8w8j7ntp-g4 on esx2: power off, connected", "guest tools: guestToolsNotRunning, address none, host name none", "19:20:10 UTC task VirtualMachine.powerOn: error: InsufficientResourcesFault", "19:20:10 UTC VmBeingCreatedEvent: Creating vm01-43d8w8j7ntp-g4 on host esx2 in DC0", "19:20:10 UTC VmInstanceUuidAssignedEvent: Assign a new instance UUID (2d4ca044-ab26-552a-94fe-c7beaeb52318) to vm01-43d8w8j7ntp-g4", "19:20:10 UTC VmUuidAssignedEvent: Assigned new BIOS UUID (40258f3b-9d68-5a08-969e-9048aeb0e6d4) to vm01-43d8w8j7ntp-g4 on esx2 in DC0", "19:20:10 UTC VmCreatedEvent: Created virtual machine vm01-43d8w8j7ntp-g4 on esx2 in DC0"], "console": [], "missing": ["vm01 itself: it was not reached by then"]}');
INSERT INTO "failed_steps" VALUES(2,'43d8w8j7ntp','2026-11-28 19:20:11.296126','vm01',5,'esx1','vsphere.power_on',3,'Power it on','host esx1 refuses to power on vm01-43d8w8j7ntp-g5: InsufficientResourcesFault',0,'{"power": "off", "endpoint": ["vm01-43d8w8j7ntp-g5 on esx1: power off, connected", "guest tools: guestToolsNotRunning, address none, host name none", "19:20:11 UTC task VirtualMachine.powerOn: error: InsufficientResourcesFault", "19:20:11 UTC VmBeingCreatedEvent: Creating vm01-43d8w8j7ntp-g5 on host esx1 in DC0", "19:20:11 UTC VmInstanceUuidAssignedEvent: Assign a new instance UUID (fc037b6c-afe5-5d9e-98b3-e03ec4416c54) to vm01-43d8w8j7ntp-g5", "19:20:11 UTC VmUuidAssignedEvent: Assigned new BIOS UUID (1db148ff-2747-53f0-8404-c984700eb73a) to vm01-43d8w8j7ntp-g5 on esx1 in DC0", "19:20:11 UTC VmCreatedEvent: Created virtual machine vm01-43d8w8j7ntp-g5 on esx1 in DC0"], "console": [], "missing": ["vm01 itself: it was not reached by then"]}');
CREATE TABLE feed (
	id INTEGER NOT NULL, 
	number INTEGER, 
	at DATETIME NOT NULL, 
	kind VARCHAR NOT NULL, 
	thing VARCHAR NOT NULL, 
	owner VARCHAR NOT NULL, 
	CONSTRAINT pk_feed PRIMARY KEY (id)
);
INSERT INTO "feed" VALUES(1,1,'2026-11-28 19:19:14.692000','user','alice','alice');
INSERT INTO "feed" VALUES(2,2,'2026-11-28 19:19:14.696000','user','bob','bob');
INSERT INTO "feed" VALUES(3,3,'2026-11-28 19:19:14.701000','user','carol','carol');
INSERT INTO "feed" VALUES(4,4,'2026-11-28 19:19:14.702000','user','olga','olga');
INSERT INTO "feed" VALUES(5,5,'2026-11-28 19:19:14.713000','image','debian-12','');
INSERT INTO "feed" VALUES(6,6,'2026-11-28 19:19:14.721000','image','debian-12','');
INSERT INTO "feed" VALUES(7,7,'2026-11-28 19:19:14.722000','image','debian-12-large','');
INSERT INTO "feed" VALUES(8,8,'2026-11-28 19:19:14.723000','image','debian-12-large','');
INSERT INTO "feed" VALUES(9,9,'2026-11-28 19:19:14.723000','image','lab-debian','');
INSERT INTO "feed" VALUES(10,10,'2026-11-28 19:19:14.725000','image','lab-debian','');
INSERT INTO "feed" VALUES(11,11,'2026-11-28 19:19:14.728000','endpoint','lab-vcenter','');
INSERT INTO "feed" VALUES(12,12,'2026-11-28 19:19:14.739000','image','debian-12','');
INSERT INTO "feed" VALUES(13,13,'2026-11-28 19:19:14.740000','image','debian-12-large','');
INSERT INTO "feed" VALUES(14,14,'2026-11-28 19:19:14.746000','repository','main','');
INSERT INTO "feed" VALUES(15,15,'2026-11-28 19:19:14.756000','computer','vm01','');
INSERT INTO "feed" VALUES(16,16,'2026-11-28 19:19:14.756000','computer','vm02','');
INSERT INTO "feed" VALUES(17,17,'2026-11-28 19:19:14.756000','computer','vm03','');
INSERT INTO "feed" VALUES(18,18,'2026-11-28 19:19:14.756000','computer','vm04','');
INSERT INTO "feed" VALUES(19,19,'2026-11-28 19:19:14.756000','computer','vm05','');
INSERT INTO "feed" VALUES(20,20,'2026-11-28 19:19:14.756000','computer','vm06','');
INSERT INTO "feed" VALUES(21,21,'2026-11-28 19:19:14.756000','computer','vm07','');
INSERT INTO "feed" VALUES(22,22,'2026-11-28 19:19:14.756000','computer','vm08','');
INSERT INTO "feed" VALUES(23,23,'2026-11-28 19:19:14.756000','computer','vm09','');
INSERT INTO "feed" VALUES(24,24,'2026-11-28 19:19:14.756000','computer','vm10','');
INSERT INTO "feed" VALUES(25,25,'2026-11-28 19:19:14.756000','computer','vm11','');
INSERT INTO "feed" VALUES(26,26,'2026-11-28 19:19:14.756000','computer','vm12','');
INSERT INTO "feed" VALUES(27,27,'2026-11-28 19:19:14.756000','computer','vm13','');
INSERT INTO "feed" VALUES(28,28,'2026-11-28 19:19:14.756000','computer','vm14','');
INSERT INTO "feed" VALUES(29,29,'2026-11-28 19:19:14.756000','computer','vm15','');
INSERT INTO "feed" VALUES(30,30,'2026-11-28 19:19:14.756000','computer','vm16','');
INSERT INTO "feed" VALUES(31,31,'2026-11-28 19:19:14.756000','computer','vm17','');
INSERT INTO "feed" VALUES(32,32,'2026-11-28 19:19:14.756000','computer','vm18','');
INSERT INTO "feed" VALUES(33,33,'2026-11-28 19:19:14.756000','computer','vm19','');
INSERT INTO "feed" VALUES(34,34,'2026-11-28 19:19:14.756000','computer','vm20','');
INSERT INTO "feed" VALUES(35,35,'2026-11-28 19:19:14.756000','computer','vm21','');
INSERT INTO "feed" VALUES(36,36,'2026-11-28 19:19:14.756000','computer','vm22','');
INSERT INTO "feed" VALUES(37,37,'2026-11-28 19:19:14.756000','computer','vm23','');
INSERT INTO "feed" VALUES(38,38,'2026-11-28 19:19:14.756000','computer','vm24','');
INSERT INTO "feed" VALUES(39,39,'2026-11-28 19:19:14.756000','computer','vm25','');
INSERT INTO "feed" VALUES(40,40,'2026-11-28 19:19:14.756000','computer','vm26','');
INSERT INTO "feed" VALUES(41,41,'2026-11-28 19:19:14.756000','computer','vm27','');
INSERT INTO "feed" VALUES(42,42,'2026-11-28 19:19:14.756000','computer','vm28','');
INSERT INTO "feed" VALUES(43,43,'2026-11-28 19:19:14.756000','computer','vm29','');
INSERT INTO "feed" VALUES(44,44,'2026-11-28 19:19:14.756000','computer','vm30','');
INSERT INTO "feed" VALUES(45,45,'2026-11-28 19:19:14.756000','computer','vm31','');
INSERT INTO "feed" VALUES(46,46,'2026-11-28 19:19:14.756000','computer','vm32','');
INSERT INTO "feed" VALUES(47,47,'2026-11-28 19:19:14.756000','computer','vm33','');
INSERT INTO "feed" VALUES(48,48,'2026-11-28 19:19:14.756000','computer','vm34','');
INSERT INTO "feed" VALUES(49,49,'2026-11-28 19:19:14.756000','computer','vm35','');
INSERT INTO "feed" VALUES(50,50,'2026-11-28 19:19:14.756000','computer','vm36','');
INSERT INTO "feed" VALUES(51,51,'2026-11-28 19:19:14.756000','computer','vm37','');
INSERT INTO "feed" VALUES(52,52,'2026-11-28 19:19:14.756000','computer','vm38','');
INSERT INTO "feed" VALUES(53,53,'2026-11-28 19:19:14.756000','computer','vm39','');
INSERT INTO "feed" VALUES(54,54,'2026-11-28 19:19:14.756000','computer','vm40','');
INSERT INTO "feed" VALUES(55,55,'2026-11-28 19:19:14.759000','endpoint','lab-machines','');
INSERT INTO "feed" VALUES(56,56,'2026-11-28 19:19:14.762000','computer','lab01','');
INSERT INTO "feed" VALUES(57,57,'2026-11-28 19:19:14.764000','computer','lab02','');
INSERT INTO "feed" VALUES(58,58,'2026-11-28 19:19:14.770000','endpoint','metal','');
INSERT INTO "feed" VALUES(59,59,'2026-11-28 19:19:14.785000','computer','metal01','');
INSERT INTO "feed" VALUES(60,60,'2026-11-28 19:19:14.788000','computer','metal01','');
INSERT INTO "feed" VALUES(61,61,'2026-11-28 19:19:14.791000','computer','metal02','');
INSERT INTO "feed" VALUES(62,62,'2026-11-28 19:19:14.791000','computer','metal02','');
INSERT INTO "feed" VALUES(63,63,'2026-11-28 19:19:14.797000','computer','metal03','');
INSERT INTO "feed" VALUES(64,64,'2026-11-28 19:19:14.798000','computer','metal03','');
INSERT INTO "feed" VALUES(65,65,'2026-11-28 19:19:14.799000','computer','metal04','');
INSERT INTO "feed" VALUES(66,66,'2026-11-28 19:19:14.803000','computer','metal04','');
INSERT INTO "feed" VALUES(67,67,'2026-11-28 19:19:14.805000','image','debian-12-metal','');
INSERT INTO "feed" VALUES(68,68,'2026-11-28 19:19:14.807000','image','debian-12-metal','');
INSERT INTO "feed" VALUES(69,69,'2026-11-28 19:19:14.811000','image','debian-12-metal','');
INSERT INTO "feed" VALUES(70,70,'2026-11-28 19:19:14.821000','token','d5295082de','alice');
INSERT INTO "feed" VALUES(71,71,'2026-11-28 19:19:14.822000','token','a7244148a7','bob');
INSERT INTO "feed" VALUES(72,72,'2026-11-28 19:19:14.822000','token','39f6135653','carol');
INSERT INTO "feed" VALUES(73,73,'2026-11-28 19:19:14.828000','token','f36993419d','olga');
INSERT INTO "feed" VALUES(74,74,'2026-11-28 19:19:21.199000','computer','vm01','');
INSERT INTO "feed" VALUES(75,75,'2026-11-28 19:19:21.200000','computer','vm01','');
INSERT INTO "feed" VALUES(76,76,'2026-11-28 19:19:21.210000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(77,77,'2026-11-28 19:19:21.300000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(78,78,'2026-11-28 19:19:21.334000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(79,79,'2026-11-28 19:19:21.366000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(80,80,'2026-11-28 19:19:21.466000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(81,81,'2026-11-28 19:19:21.486000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(82,82,'2026-11-28 19:19:21.508000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(83,83,'2026-11-28 19:19:21.524000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(84,84,'2026-11-28 19:19:21.535000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(85,85,'2026-11-28 19:19:23.546000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(86,86,'2026-11-28 19:19:23.557000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(87,87,'2026-11-28 19:19:23.569000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(88,88,'2026-11-28 19:19:23.760000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(89,89,'2026-11-28 19:19:23.776000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(90,90,'2026-11-28 19:19:24.657000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(91,91,'2026-11-28 19:19:24.673000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(92,92,'2026-11-28 19:19:24.917000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(93,93,'2026-11-28 19:19:24.948000','computer','vm01','');
INSERT INTO "feed" VALUES(94,94,'2026-11-28 19:19:24.949000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(95,95,'2026-11-28 19:19:25.863000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(96,96,'2026-11-28 19:19:25.864000','computer','vm01','');
INSERT INTO "feed" VALUES(97,97,'2026-11-28 19:19:25.866000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(98,98,'2026-11-28 19:19:26.598000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(99,99,'2026-11-28 19:19:31.529000','computer','vm01','');
INSERT INTO "feed" VALUES(100,100,'2026-11-28 19:19:31.530000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(101,101,'2026-11-28 19:19:32.289000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(102,102,'2026-11-28 19:19:32.798000','computer','vm01','');
INSERT INTO "feed" VALUES(103,103,'2026-11-28 19:19:32.800000','computer','vm01','');
INSERT INTO "feed" VALUES(104,104,'2026-11-28 19:19:32.801000','reservation','43d8vm83c3k','alice');
INSERT INTO "feed" VALUES(105,105,'2026-11-28 19:19:35.270000','computer','lab02','');
INSERT INTO "feed" VALUES(106,106,'2026-11-28 19:19:35.271000','computer','lab02','');
INSERT INTO "feed" VALUES(107,107,'2026-11-28 19:19:35.271000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(108,108,'2026-11-28 19:19:35.314000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(109,109,'2026-11-28 19:19:35.318000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(110,110,'2026-11-28 19:19:35.332000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(111,111,'2026-11-28 19:19:35.485000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(112,112,'2026-11-28 19:19:35.503000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(113,113,'2026-11-28 19:19:35.730000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(114,114,'2026-11-28 19:19:35.745000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(115,115,'2026-11-28 19:19:36.320000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(116,116,'2026-11-28 19:19:36.339000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(117,117,'2026-11-28 19:19:36.490000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(118,118,'2026-11-28 19:19:36.507000','computer','lab02','');
INSERT INTO "feed" VALUES(119,119,'2026-11-28 19:19:36.508000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(120,120,'2026-11-28 19:19:39.010000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(121,121,'2026-11-28 19:19:39.010000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(122,122,'2026-11-28 19:19:39.388000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(123,123,'2026-11-28 19:19:43.403000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(124,124,'2026-11-28 19:19:44.890000','computer','lab02','');
INSERT INTO "feed" VALUES(125,125,'2026-11-28 19:19:44.891000','computer','lab02','');
INSERT INTO "feed" VALUES(126,126,'2026-11-28 19:19:44.891000','reservation','43d8vscq5db','alice');
INSERT INTO "feed" VALUES(127,127,'2026-11-28 19:19:46.314000','computer','lab01','');
INSERT INTO "feed" VALUES(128,128,'2026-11-28 19:19:46.314000','computer','lab01','');
INSERT INTO "feed" VALUES(129,129,'2026-11-28 19:19:46.315000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(130,130,'2026-11-28 19:19:46.364000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(131,131,'2026-11-28 19:19:46.368000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(132,132,'2026-11-28 19:19:46.390000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(133,133,'2026-11-28 19:19:46.527000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(134,134,'2026-11-28 19:19:46.542000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(135,135,'2026-11-28 19:19:46.792000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(136,136,'2026-11-28 19:19:46.814000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(137,137,'2026-11-28 19:19:47.369000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(138,138,'2026-11-28 19:19:47.383000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(139,139,'2026-11-28 19:19:47.526000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(140,140,'2026-11-28 19:19:47.539000','computer','lab01','');
INSERT INTO "feed" VALUES(141,141,'2026-11-28 19:19:47.540000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(142,142,'2026-11-28 19:19:48.701000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(143,143,'2026-11-28 19:19:49.222000','computer','lab01','');
INSERT INTO "feed" VALUES(144,144,'2026-11-28 19:19:49.223000','computer','lab01','');
INSERT INTO "feed" VALUES(145,145,'2026-11-28 19:19:49.223000','reservation','43d8vw73bkx','alice');
INSERT INTO "feed" VALUES(146,146,'2026-11-28 19:19:51.141000','computer','vm01','');
INSERT INTO "feed" VALUES(147,147,'2026-11-28 19:19:51.141000','computer','vm01','');
INSERT INTO "feed" VALUES(148,148,'2026-11-28 19:19:51.144000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(149,149,'2026-11-28 19:19:51.181000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(150,150,'2026-11-28 19:19:51.221000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(151,151,'2026-11-28 19:19:51.236000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(152,152,'2026-11-28 19:19:51.268000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(153,153,'2026-11-28 19:19:51.280000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(154,154,'2026-11-28 19:19:51.295000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(155,155,'2026-11-28 19:19:51.312000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(156,156,'2026-11-28 19:19:51.322000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(157,157,'2026-11-28 19:19:51.336000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(158,158,'2026-11-28 19:19:52.530000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(159,159,'2026-11-28 19:19:52.547000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(160,160,'2026-11-28 19:19:53.281000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(161,161,'2026-11-28 19:19:53.301000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(162,162,'2026-11-28 19:19:53.458000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(163,163,'2026-11-28 19:19:53.472000','computer','vm01','');
INSERT INTO "feed" VALUES(164,164,'2026-11-28 19:19:53.473000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(165,165,'2026-11-28 19:19:54.876000','computer','vm02','');
INSERT INTO "feed" VALUES(166,166,'2026-11-28 19:19:54.877000','computer','vm02','');
INSERT INTO "feed" VALUES(167,167,'2026-11-28 19:19:54.879000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(168,168,'2026-11-28 19:19:54.920000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(169,169,'2026-11-28 19:19:54.953000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(170,170,'2026-11-28 19:19:54.969000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(171,171,'2026-11-28 19:19:55.001000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(172,172,'2026-11-28 19:19:55.028000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(173,173,'2026-11-28 19:19:55.053000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(174,174,'2026-11-28 19:19:55.074000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(175,175,'2026-11-28 19:19:55.086000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(176,176,'2026-11-28 19:19:57.101000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(177,177,'2026-11-28 19:19:57.118000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(178,178,'2026-11-28 19:19:57.138000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(179,179,'2026-11-28 19:19:57.258000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(180,180,'2026-11-28 19:19:57.274000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(181,181,'2026-11-28 19:19:57.795000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(182,182,'2026-11-28 19:19:57.809000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(183,183,'2026-11-28 19:19:57.923000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(184,184,'2026-11-28 19:19:57.938000','computer','vm02','');
INSERT INTO "feed" VALUES(185,185,'2026-11-28 19:19:57.938000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(186,186,'2026-11-28 19:19:58.284000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(187,187,'2026-11-28 19:19:58.620000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(188,188,'2026-11-28 19:19:58.859000','computer','vm01','');
INSERT INTO "feed" VALUES(189,189,'2026-11-28 19:19:58.860000','computer','vm01','');
INSERT INTO "feed" VALUES(190,190,'2026-11-28 19:19:58.862000','computer','vm01','');
INSERT INTO "feed" VALUES(191,191,'2026-11-28 19:19:58.863000','reservation','43d8vxu7hhq','alice');
INSERT INTO "feed" VALUES(192,192,'2026-11-28 19:19:59.217000','computer','vm02','');
INSERT INTO "feed" VALUES(193,193,'2026-11-28 19:19:59.217000','computer','vm02','');
INSERT INTO "feed" VALUES(194,194,'2026-11-28 19:19:59.218000','computer','vm02','');
INSERT INTO "feed" VALUES(195,195,'2026-11-28 19:19:59.218000','reservation','43d8w35w4t4','bob');
INSERT INTO "feed" VALUES(196,196,'2026-11-28 19:20:00.333000','computer','vm01','');
INSERT INTO "feed" VALUES(197,197,'2026-11-28 19:20:00.339000','computer','vm01','');
INSERT INTO "feed" VALUES(198,198,'2026-11-28 19:20:00.340000','computer','vm01','');
INSERT INTO "feed" VALUES(199,199,'2026-11-28 19:20:00.341000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(200,200,'2026-11-28 19:20:00.341000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(201,201,'2026-11-28 19:20:00.485000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(202,202,'2026-11-28 19:20:00.499000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(203,203,'2026-11-28 19:20:00.513000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(204,204,'2026-11-28 19:20:01.013000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(205,205,'2026-11-28 19:20:01.036000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(206,206,'2026-11-28 19:20:01.160000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(207,207,'2026-11-28 19:20:01.175000','computer','vm01','');
INSERT INTO "feed" VALUES(208,208,'2026-11-28 19:20:01.176000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(209,209,'2026-11-28 19:20:01.751000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(210,210,'2026-11-28 19:20:01.752000','computer','vm01','');
INSERT INTO "feed" VALUES(211,211,'2026-11-28 19:20:01.755000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(212,212,'2026-11-28 19:20:02.130000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(213,213,'2026-11-28 19:20:03.245000','image','whole-host','');
INSERT INTO "feed" VALUES(214,214,'2026-11-28 19:20:03.250000','image','whole-host','');
INSERT INTO "feed" VALUES(215,215,'2026-11-28 19:20:03.253000','image','whole-host','');
INSERT INTO "feed" VALUES(216,216,'2026-11-28 19:20:03.863000','computer','vm02','');
INSERT INTO "feed" VALUES(217,217,'2026-11-28 19:20:03.867000','computer','vm02','');
INSERT INTO "feed" VALUES(218,218,'2026-11-28 19:20:03.867000','computer','vm02','');
INSERT INTO "feed" VALUES(219,219,'2026-11-28 19:20:03.869000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(220,220,'2026-11-28 19:20:03.909000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(221,221,'2026-11-28 19:20:04.009000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(222,222,'2026-11-28 19:20:04.023000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(223,223,'2026-11-28 19:20:04.057000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(224,224,'2026-11-28 19:20:04.069000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(225,225,'2026-11-28 19:20:04.088000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(226,226,'2026-11-28 19:20:04.108000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(227,227,'2026-11-28 19:20:04.122000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(228,228,'2026-11-28 19:20:04.136000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(229,229,'2026-11-28 19:20:05.257000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(230,230,'2026-11-28 19:20:05.272000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(231,231,'2026-11-28 19:20:05.732000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(232,232,'2026-11-28 19:20:05.750000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(233,233,'2026-11-28 19:20:05.859000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(234,234,'2026-11-28 19:20:05.875000','computer','vm02','');
INSERT INTO "feed" VALUES(235,235,'2026-11-28 19:20:05.875000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(236,236,'2026-11-28 19:20:06.258000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(237,237,'2026-11-28 19:20:06.774000','computer','vm02','');
INSERT INTO "feed" VALUES(238,238,'2026-11-28 19:20:06.774000','computer','vm02','');
INSERT INTO "feed" VALUES(239,239,'2026-11-28 19:20:06.775000','computer','vm02','');
INSERT INTO "feed" VALUES(240,240,'2026-11-28 19:20:06.776000','reservation','43d8w69chht','olga');
INSERT INTO "feed" VALUES(241,241,'2026-11-28 19:20:07.807000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(242,242,'2026-11-28 19:20:08.336000','computer','vm01','');
INSERT INTO "feed" VALUES(243,243,'2026-11-28 19:20:08.337000','computer','vm01','');
INSERT INTO "feed" VALUES(244,244,'2026-11-28 19:20:08.338000','reservation','43d8w4ypkkx','carol');
INSERT INTO "feed" VALUES(245,245,'2026-11-28 19:20:10.584000','computer','vm01','');
INSERT INTO "feed" VALUES(246,246,'2026-11-28 19:20:10.584000','computer','vm01','');
INSERT INTO "feed" VALUES(247,247,'2026-11-28 19:20:10.587000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(248,248,'2026-11-28 19:20:10.618000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(249,249,'2026-11-28 19:20:10.657000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(250,250,'2026-11-28 19:20:10.670000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(251,251,'2026-11-28 19:20:10.702000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(252,252,'2026-11-28 19:20:10.715000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(253,253,'2026-11-28 19:20:10.727000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(254,254,'2026-11-28 19:20:11.093000','computer','vm01','');
INSERT INTO "feed" VALUES(255,255,'2026-11-28 19:20:11.095000','computer','vm01','');
INSERT INTO "feed" VALUES(256,256,'2026-11-28 19:20:11.097000','computer','vm01','');
INSERT INTO "feed" VALUES(257,257,'2026-11-28 19:20:11.098000','computer','vm01','');
INSERT INTO "feed" VALUES(258,258,'2026-11-28 19:20:11.102000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(259,259,'2026-11-28 19:20:11.143000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(260,260,'2026-11-28 19:20:11.197000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(261,261,'2026-11-28 19:20:11.216000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(262,262,'2026-11-28 19:20:11.268000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(263,263,'2026-11-28 19:20:11.280000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(264,264,'2026-11-28 19:20:11.291000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(265,265,'2026-11-28 19:20:11.336000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(266,266,'2026-11-28 19:20:12.994000','computer','vm01','');
INSERT INTO "feed" VALUES(267,267,'2026-11-28 19:20:12.994000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(268,268,'2026-11-28 19:20:12.995000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(269,269,'2026-11-28 19:20:13.007000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(270,270,'2026-11-28 19:20:13.027000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(271,271,'2026-11-28 19:20:13.048000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(272,272,'2026-11-28 19:20:13.060000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(273,273,'2026-11-28 19:20:13.074000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(274,274,'2026-11-28 19:20:14.206000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(275,275,'2026-11-28 19:20:14.221000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(276,276,'2026-11-28 19:20:14.669000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(277,277,'2026-11-28 19:20:14.687000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(278,278,'2026-11-28 19:20:14.809000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(279,279,'2026-11-28 19:20:14.824000','computer','vm01','');
INSERT INTO "feed" VALUES(280,280,'2026-11-28 19:20:14.824000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(281,281,'2026-11-28 19:20:16.074000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(282,282,'2026-11-28 19:20:16.075000','computer','vm01','');
INSERT INTO "feed" VALUES(283,283,'2026-11-28 19:20:16.076000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(284,284,'2026-11-28 19:20:16.450000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(285,285,'2026-11-28 19:20:17.794000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(286,286,'2026-11-28 19:20:18.182000','computer','vm01','');
INSERT INTO "feed" VALUES(287,287,'2026-11-28 19:20:18.183000','computer','vm01','');
INSERT INTO "feed" VALUES(288,288,'2026-11-28 19:20:18.183000','reservation','43d8w8j7ntp','alice');
INSERT INTO "feed" VALUES(289,289,'2026-11-28 19:20:21.467000','computer','metal01','');
INSERT INTO "feed" VALUES(290,290,'2026-11-28 19:20:21.468000','computer','metal01','');
INSERT INTO "feed" VALUES(291,291,'2026-11-28 19:20:21.468000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(292,292,'2026-11-28 19:20:21.679000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(293,293,'2026-11-28 19:20:22.800000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(294,294,'2026-11-28 19:20:22.820000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(295,295,'2026-11-28 19:20:22.889000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(296,296,'2026-11-28 19:20:22.905000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(297,297,'2026-11-28 19:20:25.530000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(298,298,'2026-11-28 19:20:25.545000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(299,299,'2026-11-28 19:20:26.011000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(300,300,'2026-11-28 19:20:28.021000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(301,301,'2026-11-28 19:20:28.254000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(302,302,'2026-11-28 19:20:28.270000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(303,303,'2026-11-28 19:20:29.896000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(304,304,'2026-11-28 19:20:29.915000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(305,305,'2026-11-28 19:20:30.600000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(306,306,'2026-11-28 19:20:30.620000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(307,307,'2026-11-28 19:20:40.639000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(308,308,'2026-11-28 19:20:42.696000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(309,309,'2026-11-28 19:20:42.738000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(310,310,'2026-11-28 19:20:43.697000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(311,311,'2026-11-28 19:20:43.723000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(312,312,'2026-11-28 19:20:44.108000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(313,313,'2026-11-28 19:20:44.125000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(314,314,'2026-11-28 19:20:44.651000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(315,315,'2026-11-28 19:20:44.669000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(316,316,'2026-11-28 19:20:45.817000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(317,317,'2026-11-28 19:20:45.845000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(318,318,'2026-11-28 19:20:46.894000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(319,319,'2026-11-28 19:20:46.909000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(320,320,'2026-11-28 19:20:47.042000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(321,321,'2026-11-28 19:20:47.062000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(322,322,'2026-11-28 19:20:47.577000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(323,323,'2026-11-28 19:20:47.591000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(324,324,'2026-11-28 19:20:47.719000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(325,325,'2026-11-28 19:20:47.740000','computer','metal01','');
INSERT INTO "feed" VALUES(326,326,'2026-11-28 19:20:47.741000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(327,327,'2026-11-28 19:20:48.190000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(328,328,'2026-11-28 19:20:48.193000','computer','metal01','');
INSERT INTO "feed" VALUES(329,329,'2026-11-28 19:20:48.193000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(330,330,'2026-11-28 19:20:48.605000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(331,331,'2026-11-28 19:20:50.081000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(332,332,'2026-11-28 19:20:50.693000','computer','metal01','');
INSERT INTO "feed" VALUES(333,333,'2026-11-28 19:20:50.695000','computer','metal01','');
INSERT INTO "feed" VALUES(334,334,'2026-11-28 19:20:50.696000','reservation','43d8wcbqqax','alice');
INSERT INTO "feed" VALUES(335,335,'2026-11-28 19:20:50.737000','computer','metal01','');
INSERT INTO "feed" VALUES(336,336,'2026-11-28 19:20:50.738000','computer','metal01','');
INSERT INTO "feed" VALUES(337,337,'2026-11-28 19:21:07.544000','computer','metal01','');
INSERT INTO "feed" VALUES(338,338,'2026-11-28 19:21:07.546000','computer','metal01','');
INSERT INTO "feed" VALUES(339,339,'2026-11-28 19:21:08.748000','computer','metal01','');
INSERT INTO "feed" VALUES(340,340,'2026-11-28 19:21:08.749000','computer','metal01','');
INSERT INTO "feed" VALUES(341,341,'2026-11-28 19:21:08.750000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(342,342,'2026-11-28 19:21:09.039000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(343,343,'2026-11-28 19:21:09.177000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(344,344,'2026-11-28 19:21:09.193000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(345,345,'2026-11-28 19:21:09.222000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(346,346,'2026-11-28 19:21:09.237000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(347,347,'2026-11-28 19:21:09.349000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(348,348,'2026-11-28 19:21:09.366000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(349,349,'2026-11-28 19:21:09.826000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(350,350,'2026-11-28 19:21:09.841000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(351,351,'2026-11-28 19:21:09.958000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(352,352,'2026-11-28 19:21:09.971000','computer','metal01','');
INSERT INTO "feed" VALUES(353,353,'2026-11-28 19:21:09.972000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(354,354,'2026-11-28 19:21:11.134000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(355,355,'2026-11-28 19:21:11.136000','computer','metal01','');
INSERT INTO "feed" VALUES(356,356,'2026-11-28 19:21:11.136000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(357,357,'2026-11-28 19:21:11.544000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(358,358,'2026-11-28 19:21:12.314000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(359,359,'2026-11-28 19:21:12.986000','computer','metal01','');
INSERT INTO "feed" VALUES(360,360,'2026-11-28 19:21:12.987000','computer','metal01','');
INSERT INTO "feed" VALUES(361,361,'2026-11-28 19:21:12.987000','reservation','43d8wvkjdk9','bob');
INSERT INTO "feed" VALUES(362,362,'2026-11-28 19:21:13.038000','computer','metal01','');
INSERT INTO "feed" VALUES(363,363,'2026-11-28 19:21:13.039000','computer','metal01','');
INSERT INTO "feed" VALUES(364,364,'2026-11-28 19:21:13.708000','grant','1','');
INSERT INTO "feed" VALUES(365,365,'2026-11-28 19:21:14.284000','computer','vm01','');
INSERT INTO "feed" VALUES(366,366,'2026-11-28 19:21:14.285000','computer','vm01','');
INSERT INTO "feed" VALUES(367,367,'2026-11-28 19:21:14.292000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(368,368,'2026-11-28 19:21:14.337000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(369,369,'2026-11-28 19:21:14.373000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(370,370,'2026-11-28 19:21:14.387000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(371,371,'2026-11-28 19:21:14.420000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(372,372,'2026-11-28 19:21:14.434000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(373,373,'2026-11-28 19:21:14.447000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(374,374,'2026-11-28 19:21:14.470000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(375,375,'2026-11-28 19:21:14.490000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(376,376,'2026-11-28 19:21:14.513000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(377,377,'2026-11-28 19:21:15.678000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(378,378,'2026-11-28 19:21:15.703000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(379,379,'2026-11-28 19:21:16.522000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(380,380,'2026-11-28 19:21:16.540000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(381,381,'2026-11-28 19:21:16.673000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(382,382,'2026-11-28 19:21:16.694000','computer','vm01','');
INSERT INTO "feed" VALUES(383,383,'2026-11-28 19:21:16.694000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(384,384,'2026-11-28 19:21:17.732000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(385,385,'2026-11-28 19:21:17.733000','computer','vm01','');
INSERT INTO "feed" VALUES(386,386,'2026-11-28 19:21:17.733000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(387,387,'2026-11-28 19:21:18.135000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(388,388,'2026-11-28 19:21:28.994000','computer','metal01','');
INSERT INTO "feed" VALUES(389,389,'2026-11-28 19:21:28.998000','computer','metal01','');
INSERT INTO "feed" VALUES(390,390,'2026-11-28 19:21:33.710000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(391,391,'2026-11-28 19:21:33.711000','computer','vm01','');
INSERT INTO "feed" VALUES(392,392,'2026-11-28 19:21:34.697000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(393,393,'2026-11-28 19:21:34.699000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(394,394,'2026-11-28 19:21:34.768000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(395,395,'2026-11-28 19:21:34.832000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(396,396,'2026-11-28 19:21:34.846000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(397,397,'2026-11-28 19:21:34.858000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(398,398,'2026-11-28 19:21:34.878000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(399,399,'2026-11-28 19:21:34.993000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(400,400,'2026-11-28 19:21:35.009000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(401,401,'2026-11-28 19:21:35.255000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(402,402,'2026-11-28 19:21:35.269000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(403,403,'2026-11-28 19:21:35.502000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(404,404,'2026-11-28 19:21:35.522000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(405,405,'2026-11-28 19:21:35.535000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(406,406,'2026-11-28 19:21:40.546000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(407,407,'2026-11-28 19:21:40.554000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(408,408,'2026-11-28 19:21:40.579000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(409,409,'2026-11-28 19:21:47.656000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(410,410,'2026-11-28 19:22:01.592000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(411,411,'2026-11-28 19:22:01.645000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(412,412,'2026-11-28 19:22:25.079000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(413,413,'2026-11-28 19:22:25.102000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(414,414,'2026-11-28 19:22:25.104000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(415,415,'2026-11-28 19:22:25.128000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(416,416,'2026-11-28 19:22:25.152000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(417,417,'2026-11-28 19:22:25.166000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(418,418,'2026-11-28 19:22:25.177000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(419,419,'2026-11-28 19:22:25.190000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(420,420,'2026-11-28 19:22:26.321000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(421,421,'2026-11-28 19:22:26.487000','computer','vm03','');
INSERT INTO "feed" VALUES(422,422,'2026-11-28 19:22:26.489000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(423,423,'2026-11-28 19:22:26.490000','computer','vm03','');
INSERT INTO "feed" VALUES(424,424,'2026-11-28 19:22:26.514000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(425,425,'2026-11-28 19:22:26.531000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(426,426,'2026-11-28 19:22:26.546000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(427,427,'2026-11-28 19:22:26.559000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(428,428,'2026-11-28 19:22:26.573000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(429,429,'2026-11-28 19:22:26.605000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(430,430,'2026-11-28 19:22:26.626000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(431,431,'2026-11-28 19:22:26.646000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(432,432,'2026-11-28 19:22:26.666000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(433,433,'2026-11-28 19:22:26.674000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(434,434,'2026-11-28 19:22:28.685000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(435,435,'2026-11-28 19:22:28.702000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(436,436,'2026-11-28 19:22:28.716000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(437,437,'2026-11-28 19:22:28.821000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(438,438,'2026-11-28 19:22:28.839000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(439,439,'2026-11-28 19:22:30.150000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(440,440,'2026-11-28 19:22:30.165000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(441,441,'2026-11-28 19:22:30.174000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(442,442,'2026-11-28 19:22:35.186000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(443,443,'2026-11-28 19:22:35.193000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(444,444,'2026-11-28 19:22:35.210000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(445,445,'2026-11-28 19:22:36.533000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(446,446,'2026-11-28 19:22:36.549000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(447,447,'2026-11-28 19:23:00.224000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(448,448,'2026-11-28 19:23:00.311000','computer','vm03','');
INSERT INTO "feed" VALUES(449,449,'2026-11-28 19:23:00.321000','computer','vm03','');
INSERT INTO "feed" VALUES(450,450,'2026-11-28 19:23:00.325000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(451,451,'2026-11-28 19:23:00.367000','computer','vm03','');
INSERT INTO "feed" VALUES(452,452,'2026-11-28 19:23:00.368000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(453,453,'2026-11-28 19:23:00.368000','computer','vm03','');
INSERT INTO "feed" VALUES(454,454,'2026-11-28 19:23:00.388000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(455,455,'2026-11-28 19:23:00.407000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(456,456,'2026-11-28 19:23:00.421000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(457,457,'2026-11-28 19:23:00.454000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(458,458,'2026-11-28 19:23:00.471000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(459,459,'2026-11-28 19:23:00.485000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(460,460,'2026-11-28 19:23:00.501000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(461,461,'2026-11-28 19:23:00.514000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(462,462,'2026-11-28 19:23:02.526000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(463,463,'2026-11-28 19:23:02.536000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(464,464,'2026-11-28 19:23:02.549000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(465,465,'2026-11-28 19:23:02.654000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(466,466,'2026-11-28 19:23:02.669000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(467,467,'2026-11-28 19:23:03.129000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(468,468,'2026-11-28 19:23:03.142000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(469,469,'2026-11-28 19:23:03.248000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(470,470,'2026-11-28 19:23:03.266000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(471,471,'2026-11-28 19:23:04.400000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(472,472,'2026-11-28 19:23:04.536000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(473,473,'2026-11-28 19:23:04.602000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(474,474,'2026-11-28 19:23:04.618000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(475,475,'2026-11-28 19:23:04.770000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(476,476,'2026-11-28 19:23:04.815000','computer','vm03','');
INSERT INTO "feed" VALUES(477,477,'2026-11-28 19:23:04.821000','computer','vm03','');
INSERT INTO "feed" VALUES(478,478,'2026-11-28 19:23:04.822000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(479,479,'2026-11-28 19:23:04.830000','image','demo-x8u9bm','');
INSERT INTO "feed" VALUES(480,480,'2026-11-28 19:23:04.833000','image','demo-x8u9bm','');
INSERT INTO "feed" VALUES(481,481,'2026-11-28 19:23:04.834000','image','demo-x8u9bm','');
INSERT INTO "feed" VALUES(482,482,'2026-11-28 19:23:04.835000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(483,483,'2026-11-28 19:23:04.835000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(484,484,'2026-11-28 19:23:06.510000','image','demo-x8u9bm','');
INSERT INTO "feed" VALUES(485,485,'2026-11-28 19:23:07.013000','computer','vm03','');
INSERT INTO "feed" VALUES(486,486,'2026-11-28 19:23:07.013000','computer','vm03','');
INSERT INTO "feed" VALUES(487,487,'2026-11-28 19:23:07.020000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(488,488,'2026-11-28 19:23:07.050000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(489,489,'2026-11-28 19:23:07.105000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(490,490,'2026-11-28 19:23:07.123000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(491,491,'2026-11-28 19:23:07.154000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(492,492,'2026-11-28 19:23:07.168000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(493,493,'2026-11-28 19:23:07.185000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(494,494,'2026-11-28 19:23:07.199000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(495,495,'2026-11-28 19:23:07.214000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(496,496,'2026-11-28 19:23:07.228000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(497,497,'2026-11-28 19:23:08.371000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(498,498,'2026-11-28 19:23:08.385000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(499,499,'2026-11-28 19:23:08.843000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(500,500,'2026-11-28 19:23:08.858000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(501,501,'2026-11-28 19:23:08.975000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(502,502,'2026-11-28 19:23:08.996000','computer','vm03','');
INSERT INTO "feed" VALUES(503,503,'2026-11-28 19:23:08.996000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(504,504,'2026-11-28 19:23:09.420000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(505,505,'2026-11-28 19:23:09.422000','computer','vm03','');
INSERT INTO "feed" VALUES(506,506,'2026-11-28 19:23:09.422000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(507,507,'2026-11-28 19:23:09.771000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(508,508,'2026-11-28 19:23:11.490000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(509,509,'2026-11-28 19:23:11.781000','computer','vm01','');
INSERT INTO "feed" VALUES(510,510,'2026-11-28 19:23:11.782000','computer','vm01','');
INSERT INTO "feed" VALUES(511,511,'2026-11-28 19:23:11.783000','reservation','43d8wxh779d','alice');
INSERT INTO "feed" VALUES(512,512,'2026-11-28 19:23:11.818000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(513,513,'2026-11-28 19:23:12.207000','computer','vm03','');
INSERT INTO "feed" VALUES(514,514,'2026-11-28 19:23:12.209000','computer','vm03','');
INSERT INTO "feed" VALUES(515,515,'2026-11-28 19:23:12.209000','reservation','43d8yberaxy','bob');
INSERT INTO "feed" VALUES(516,516,'2026-11-28 19:23:12.638000','image','demo-x8u9bm','');
INSERT INTO "feed" VALUES(517,517,'2026-11-28 19:23:12.641000','image','demo-x8u9bm','');
INSERT INTO "feed" VALUES(518,518,'2026-11-28 19:23:13.159000','grant','1','');
INSERT INTO "feed" VALUES(519,519,'2026-11-28 19:23:19.687000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(520,520,'2026-11-28 19:23:19.691000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(521,521,'2026-11-28 19:23:19.694000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(522,522,'2026-11-28 19:23:20.255000','computer','vm01','');
INSERT INTO "feed" VALUES(523,523,'2026-11-28 19:23:20.256000','computer','vm01','');
INSERT INTO "feed" VALUES(524,524,'2026-11-28 19:23:20.257000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(525,525,'2026-11-28 19:23:20.263000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(526,526,'2026-11-28 19:23:20.275000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(527,527,'2026-11-28 19:23:28.761000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(528,528,'2026-11-28 19:23:28.782000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(529,529,'2026-11-28 19:23:28.783000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(530,530,'2026-11-28 19:23:28.814000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(531,531,'2026-11-28 19:23:28.862000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(532,532,'2026-11-28 19:23:28.875000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(533,533,'2026-11-28 19:23:28.905000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(534,534,'2026-11-28 19:23:28.918000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(535,535,'2026-11-28 19:23:28.931000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(536,536,'2026-11-28 19:23:28.945000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(537,537,'2026-11-28 19:23:28.956000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(538,538,'2026-11-28 19:23:28.973000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(539,539,'2026-11-28 19:23:30.101000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(540,540,'2026-11-28 19:23:30.116000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(541,541,'2026-11-28 19:23:30.577000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(542,542,'2026-11-28 19:23:30.591000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(543,543,'2026-11-28 19:23:30.709000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(544,544,'2026-11-28 19:23:30.723000','computer','vm01','');
INSERT INTO "feed" VALUES(545,545,'2026-11-28 19:23:30.724000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(546,546,'2026-11-28 19:23:31.722000','host','lab-vcenter/esx2','');
INSERT INTO "feed" VALUES(547,547,'2026-11-28 19:23:32.252000','computer','vm03','');
INSERT INTO "feed" VALUES(548,548,'2026-11-28 19:23:32.253000','computer','vm03','');
INSERT INTO "feed" VALUES(549,549,'2026-11-28 19:23:32.256000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(550,550,'2026-11-28 19:23:32.292000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(551,551,'2026-11-28 19:23:32.345000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(552,552,'2026-11-28 19:23:32.359000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(553,553,'2026-11-28 19:23:32.389000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(554,554,'2026-11-28 19:23:32.402000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(555,555,'2026-11-28 19:23:32.417000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(556,556,'2026-11-28 19:23:32.435000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(557,557,'2026-11-28 19:23:32.449000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(558,558,'2026-11-28 19:23:32.461000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(559,559,'2026-11-28 19:23:33.589000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(560,560,'2026-11-28 19:23:33.603000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(561,561,'2026-11-28 19:23:34.024000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(562,562,'2026-11-28 19:23:34.040000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(563,563,'2026-11-28 19:23:34.166000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(564,564,'2026-11-28 19:23:34.187000','computer','vm03','');
INSERT INTO "feed" VALUES(565,565,'2026-11-28 19:23:34.188000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(566,566,'2026-11-28 19:23:34.611000','host','lab-vcenter/esx2','');
INSERT INTO "feed" VALUES(567,567,'2026-11-28 19:23:39.073000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(568,568,'2026-11-28 19:23:39.074000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(569,569,'2026-11-28 19:23:39.415000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(570,570,'2026-11-28 19:23:39.415000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(571,571,'2026-11-28 19:23:39.935000','computer','vm04','');
INSERT INTO "feed" VALUES(572,572,'2026-11-28 19:23:39.936000','computer','vm04','');
INSERT INTO "feed" VALUES(573,573,'2026-11-28 19:23:39.937000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(574,574,'2026-11-28 19:23:39.940000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(575,575,'2026-11-28 19:23:39.949000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(576,576,'2026-11-28 19:23:48.543000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(577,577,'2026-11-28 19:23:48.573000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(578,578,'2026-11-28 19:23:48.578000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(579,579,'2026-11-28 19:23:48.614000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(580,580,'2026-11-28 19:23:48.639000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(581,581,'2026-11-28 19:23:48.656000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(582,582,'2026-11-28 19:23:48.701000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(583,583,'2026-11-28 19:23:48.715000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(584,584,'2026-11-28 19:23:48.735000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(585,585,'2026-11-28 19:23:48.750000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(586,586,'2026-11-28 19:23:48.763000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(587,587,'2026-11-28 19:23:50.773000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(588,588,'2026-11-28 19:23:50.785000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(589,589,'2026-11-28 19:23:50.799000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(590,590,'2026-11-28 19:23:50.905000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(591,591,'2026-11-28 19:23:50.920000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(592,592,'2026-11-28 19:23:51.389000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(593,593,'2026-11-28 19:23:51.403000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(594,594,'2026-11-28 19:23:51.525000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(595,595,'2026-11-28 19:23:51.541000','computer','vm04','');
INSERT INTO "feed" VALUES(596,596,'2026-11-28 19:23:51.541000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(597,NULL,'2026-11-28 19:23:52.477000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(598,NULL,'2026-11-28 19:23:52.786000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(599,NULL,'2026-11-28 19:23:52.787000','computer','vm01','');
INSERT INTO "feed" VALUES(600,NULL,'2026-11-28 19:23:52.787000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(601,NULL,'2026-11-28 19:23:53.182000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(602,NULL,'2026-11-28 19:24:00.076000','image','demo-x8u9bm','');
INSERT INTO "feed" VALUES(603,NULL,'2026-11-28 19:24:00.378000','image','demo-x8u9bm','');
INSERT INTO "feed" VALUES(604,NULL,'2026-11-28 19:24:08.759000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(605,NULL,'2026-11-28 19:24:08.759000','computer','vm01','');
INSERT INTO "feed" VALUES(606,NULL,'2026-11-28 19:24:50.903000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(607,NULL,'2026-11-28 19:24:51.251000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(608,NULL,'2026-11-28 19:24:51.274000','computer','vm01','');
INSERT INTO "feed" VALUES(609,NULL,'2026-11-28 19:24:51.276000','computer','vm01','');
INSERT INTO "feed" VALUES(610,NULL,'2026-11-28 19:24:51.277000','reservation','43d8yfxve93','alice');
INSERT INTO "feed" VALUES(611,NULL,'2026-11-28 19:24:51.644000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(612,NULL,'2026-11-28 19:24:51.922000','computer','vm03','');
INSERT INTO "feed" VALUES(613,NULL,'2026-11-28 19:24:51.923000','computer','vm03','');
INSERT INTO "feed" VALUES(614,NULL,'2026-11-28 19:24:51.924000','reservation','43d8ym5nd5d','bob');
INSERT INTO "feed" VALUES(615,NULL,'2026-11-28 19:24:52.096000','computer','vm04','');
INSERT INTO "feed" VALUES(616,NULL,'2026-11-28 19:24:52.097000','computer','vm04','');
INSERT INTO "feed" VALUES(617,NULL,'2026-11-28 19:24:52.098000','computer','vm04','');
INSERT INTO "feed" VALUES(618,NULL,'2026-11-28 19:24:52.098000','reservation','43d8yprtysq','carol');
INSERT INTO "feed" VALUES(619,NULL,'2026-11-28 19:25:00.047000','image','demo-eec4sp','');
INSERT INTO "feed" VALUES(620,NULL,'2026-11-28 19:25:00.228000','image','demo-eec4sp','');
CREATE TABLE feed_state (
	id INTEGER NOT NULL, 
	last INTEGER NOT NULL, 
	pruned INTEGER NOT NULL, 
	CONSTRAINT pk_feed_state PRIMARY KEY (id)
);
INSERT INTO "feed_state" VALUES(1,596,0);
CREATE TABLE fences (
	computer VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	run VARCHAR NOT NULL, 
	activity INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	scheduled_at DATETIME NOT NULL, 
	name VARCHAR NOT NULL, 
	CONSTRAINT pk_fences PRIMARY KEY (computer), 
	CONSTRAINT fk_fences_computer_computers FOREIGN KEY(computer) REFERENCES computers (name)
);
INSERT INTO "fences" VALUES('vm01',7,'01a2239c-ac6d-74d9-bcea-b771c37fa565',22,1,'2026-11-28 19:24:51.141241','remove_computer');
INSERT INTO "fences" VALUES('lab02',1,'01a22399-3d4b-7b4d-9703-ec651c3454de',16,1,'2026-11-28 19:19:43.608348','remove_computer');
INSERT INTO "fences" VALUES('lab01',1,'01a22399-688a-70f8-adc6-02c8a112c0bd',11,1,'2026-11-28 19:19:48.708057','remove_computer');
INSERT INTO "fences" VALUES('vm02',2,'01a22399-ad14-7dc4-9cf2-5a2148acbd48',13,1,'2026-11-28 19:20:06.265740','make_spare');
INSERT INTO "fences" VALUES('metal01',4,'01a2239a-bc22-770b-8043-bc9b11882971',18,1,'2026-11-28 19:21:28.837440','linux.read_public_address');
INSERT INTO "fences" VALUES('vm03',4,'01a2239c-db3a-7080-8880-a70793b8c699',15,1,'2026-11-28 19:24:51.819966','remove_computer');
INSERT INTO "fences" VALUES('vm04',1,'01a2239c-f93b-79ef-b6ed-ecbeab6d6c44',15,1,'2026-11-28 19:24:51.655525','make_spare');
CREATE TABLE freed_logins (
	digest VARCHAR NOT NULL, 
	CONSTRAINT pk_freed_logins PRIMARY KEY (digest)
)
 WITHOUT ROWID

;
CREATE TABLE grants (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	role VARCHAR(20) NOT NULL, 
	to_kind VARCHAR(20) NOT NULL, 
	to_name VARCHAR NOT NULL, 
	on_group VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	made_by VARCHAR NOT NULL, 
	CONSTRAINT uq_grants_role UNIQUE (role, to_kind, to_name, on_group)
);
CREATE TABLE group_members (
	group_name VARCHAR NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	name VARCHAR NOT NULL, 
	CONSTRAINT pk_group_members PRIMARY KEY (group_name, kind, name), 
	CONSTRAINT fk_group_members_group_name_groups FOREIGN KEY(group_name) REFERENCES groups (name)
);
CREATE TABLE groups (
	name VARCHAR NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	title VARCHAR NOT NULL, 
	made_at DATETIME NOT NULL, 
	made_by VARCHAR NOT NULL, 
	CONSTRAINT pk_groups PRIMARY KEY (name)
);
CREATE TABLE host_rests (
	id INTEGER NOT NULL, 
	endpoint VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	since DATETIME NOT NULL, 
	why VARCHAR NOT NULL, 
	"by" VARCHAR NOT NULL, 
	pause DOUBLE NOT NULL, 
	next_check DATETIME, 
	checks INTEGER NOT NULL, 
	last_check VARCHAR NOT NULL, 
	ended_at DATETIME, 
	ended_by VARCHAR NOT NULL, 
	proven BOOLEAN NOT NULL, 
	CONSTRAINT pk_host_rests PRIMARY KEY (id)
);
INSERT INTO "host_rests" VALUES(1,'lab-vcenter','esx2','2026-11-28 19:23:31.719595','so that bob gets the other one','olga',0.0,NULL,0,'','2026-11-28 19:23:34.608964','olga',0);
CREATE TABLE images (
	name VARCHAR NOT NULL, 
	title VARCHAR NOT NULL, 
	disabled_at DATETIME, 
	disabled_why VARCHAR NOT NULL, 
	removed_at DATETIME, 
	CONSTRAINT pk_images PRIMARY KEY (name)
);
INSERT INTO "images" VALUES('debian-12','Debian 12',NULL,'',NULL);
INSERT INTO "images" VALUES('debian-12-large','Debian 12, large',NULL,'',NULL);
INSERT INTO "images" VALUES('lab-debian','Debian 12 on a lab machine',NULL,'',NULL);
INSERT INTO "images" VALUES('debian-12-metal','Debian 12 on bare metal',NULL,'',NULL);
INSERT INTO "images" VALUES('whole-host','whole-host',NULL,'',NULL);
INSERT INTO "images" VALUES('demo-x8u9bm','Debian 12 that says hello',NULL,'','2026-11-28 19:23:12.634878');
INSERT INTO "images" VALUES('demo-eec4sp','A demonstration',NULL,'',NULL);
CREATE TABLE intents (
	id VARCHAR NOT NULL, 
	at DATETIME NOT NULL, 
	actor VARCHAR NOT NULL, 
	authentication VARCHAR NOT NULL, 
	roles JSON NOT NULL, 
	verb VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	for_user VARCHAR NOT NULL, 
	account VARCHAR NOT NULL, 
	token VARCHAR NOT NULL, 
	address VARCHAR NOT NULL, 
	arguments JSON NOT NULL, 
	outcome VARCHAR(20) NOT NULL, 
	detail VARCHAR NOT NULL, 
	answered_at DATETIME, 
	CONSTRAINT pk_intents PRIMARY KEY (id)
);
INSERT INTO "intents" VALUES('93b83fa2663e4f7789b3026cd53430ee','2026-11-28 19:19:20.171620','alice','token','["user"]','acts.reserve','43d8vm83c3k','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vm83c3k", "image": "debian-12", "seconds": 3600.0}','done','','2026-11-28 19:19:21.259111');
INSERT INTO "intents" VALUES('935bde5811a24a0eb547e94df3e91b2e','2026-11-28 19:19:25.845298','alice','token','["user"]','acts.connect','43d8vm83c3k','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vm83c3k", "address": "203.0.113.11"}','done','','2026-11-28 19:19:26.798195');
INSERT INTO "intents" VALUES('5a9e298571ee4c54a29dc42b9294759e','2026-11-28 19:19:27.715971','alice','token','["user"]','acts.connect','43d8vm83c3k','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vm83c3k", "address": "203.0.113.11"}','done','','2026-11-28 19:19:27.733527');
INSERT INTO "intents" VALUES('c12c65efd2b647f4a9a2152b1214675e','2026-11-28 19:19:31.496849','alice','token','["user"]','acts.extend','43d8vm83c3k','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vm83c3k", "by": 1800.0}','done','','2026-11-28 19:19:31.550545');
INSERT INTO "intents" VALUES('1d971ca295874d33aa0a18dd27b1b867','2026-11-28 19:19:32.272555','alice','token','["user"]','acts.end','43d8vm83c3k','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vm83c3k"}','done','','2026-11-28 19:19:32.306003');
INSERT INTO "intents" VALUES('1743d0f327164dc0860c4a8eb6c1f787','2026-11-28 19:19:34.980138','alice','token','["user"]','acts.reserve','43d8vscq5db','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vscq5db", "image": "lab-debian", "seconds": 3600.0}','done','','2026-11-28 19:19:35.298604');
INSERT INTO "intents" VALUES('224194f8dc97440693c55e4ad74df539','2026-11-28 19:19:37.759906','olga','token','["administrator", "operator", "user"]','acts.reserve','43d8vtb7jjs','olga','','f36993419d','203.0.113.14','{"reservation": "43d8vtb7jjs", "image": "lab-debian", "seconds": 3600.0}','refused','no lab machine is free at that time; there is room from 2026-11-28 20:25 UTC on, for 1 h (lab-machines/lab01: somebody is logged in at it: root on console, root on the console; lab-machines/lab02: is held by 43d8vscq5db, probably until 2026-11-28 20:24 UTC)','2026-11-28 19:19:38.064995');
INSERT INTO "intents" VALUES('0c971438c8e24a62aa2a42f02d91887c','2026-11-28 19:19:38.996966','alice','token','["user"]','acts.connect','43d8vscq5db','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vscq5db", "address": "203.0.113.11"}','done','','2026-11-28 19:19:39.638857');
INSERT INTO "intents" VALUES('eb1252456f0949669872a3ac3f96a3b2','2026-11-28 19:19:43.390206','alice','token','["user"]','acts.end','43d8vscq5db','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vscq5db"}','done','','2026-11-28 19:19:43.425078');
INSERT INTO "intents" VALUES('abd0e18fd8e245d6a8e4a013e86b5a2d','2026-11-28 19:19:46.050802','alice','token','["user"]','acts.reserve','43d8vw73bkx','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vw73bkx", "image": "lab-debian", "seconds": 3600.0}','done','','2026-11-28 19:19:46.336559');
INSERT INTO "intents" VALUES('c4fe775854e9454f8b4403ae680a72fb','2026-11-28 19:19:48.680751','alice','token','["user"]','acts.end','43d8vw73bkx','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vw73bkx"}','done','','2026-11-28 19:19:48.720308');
INSERT INTO "intents" VALUES('5c3935e5150d4b2fbc76b7f07d9fcf15','2026-11-28 19:19:50.892883','alice','token','["user"]','acts.reserve','43d8vxu7hhq','alice','','d5295082de','203.0.113.11','{"reservation": "43d8vxu7hhq", "image": "debian-12-large", "seconds": 3600.0}','done','','2026-11-28 19:19:51.159282');
INSERT INTO "intents" VALUES('0f5b573c6a6f41e9a5eaac0b1b272f9d','2026-11-28 19:19:54.588140','bob','token','["user"]','acts.reserve','43d8w35w4t4','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8w35w4t4", "image": "debian-12-large", "seconds": 3600.0}','done','','2026-11-28 19:19:54.903721');
INSERT INTO "intents" VALUES('d81e7692668248a7a04c381d15d35cad','2026-11-28 19:19:58.269721','olga','token','["administrator", "operator", "user"]','acts.end','43d8vxu7hhq','alice','','f36993419d','203.0.113.14','{"reservation": "43d8vxu7hhq"}','done','','2026-11-28 19:19:58.296571');
INSERT INTO "intents" VALUES('9d76deff14654bfcabd2686159cd7428','2026-11-28 19:19:58.602592','olga','token','["administrator", "operator", "user"]','acts.end','43d8w35w4t4','bob','','f36993419d','203.0.113.14','{"reservation": "43d8w35w4t4"}','done','','2026-11-28 19:19:58.635610');
INSERT INTO "intents" VALUES('645389eb0f914f928bf7f6336bfa2f47','2026-11-28 19:20:00.088196','carol','token','["user"]','acts.reserve','43d8w4ypkkx','carol','','39f6135653','203.0.113.13','{"reservation": "43d8w4ypkkx", "image": "debian-12-large", "seconds": 3600.0}','done','','2026-11-28 19:20:00.358318');
INSERT INTO "intents" VALUES('091cf845e697465d90c98cc1e485d1b5','2026-11-28 19:20:01.735336','carol','token','["user"]','acts.connect','43d8w4ypkkx','carol','','39f6135653','203.0.113.13','{"reservation": "43d8w4ypkkx", "address": "203.0.113.13"}','done','','2026-11-28 19:20:02.380853');
INSERT INTO "intents" VALUES('cfdc6c20629048979689a073acec0412','2026-11-28 19:20:02.938407','olga','token','["administrator", "operator", "user"]','images.add','whole-host','','','f36993419d','203.0.113.14','{"name": "whole-host", "master": "[ds1] vclab-images/debian-12-large/1/disk.vmdk", "cpus": 4, "memory_mb": 12288, "disk_gb": 16, "data": {"guest_id": "debian12_64Guest"}}','done','','2026-11-28 19:20:03.260038');
INSERT INTO "intents" VALUES('5f9d73d911f6494c8d2ccf3fc69ceb37','2026-11-28 19:20:03.594616','olga','token','["administrator", "operator", "user"]','acts.reserve','43d8w69chht','olga','','f36993419d','203.0.113.14','{"reservation": "43d8w69chht", "image": "whole-host", "seconds": 3600.0}','done','','2026-11-28 19:20:03.890159');
INSERT INTO "intents" VALUES('3849f153f8f04d0eae7abc5606b12d0f','2026-11-28 19:20:06.239873','olga','token','["administrator", "operator", "user"]','acts.end','43d8w69chht','olga','','f36993419d','203.0.113.14','{"reservation": "43d8w69chht"}','done','','2026-11-28 19:20:06.270454');
INSERT INTO "intents" VALUES('22da09e2f9b442dbae09cd92d17a89be','2026-11-28 19:20:07.790710','carol','token','["user"]','acts.end','43d8w4ypkkx','carol','','39f6135653','203.0.113.13','{"reservation": "43d8w4ypkkx"}','done','','2026-11-28 19:20:07.822532');
INSERT INTO "intents" VALUES('9072c5eca5e44bc9bb45e146a59c71ab','2026-11-28 19:20:10.359162','alice','token','["user"]','acts.reserve','43d8w8j7ntp','alice','','d5295082de','203.0.113.11','{"reservation": "43d8w8j7ntp", "image": "debian-12", "seconds": 3600.0}','done','','2026-11-28 19:20:10.602496');
INSERT INTO "intents" VALUES('eb78386875404566808e09c5f6b1849f','2026-11-28 19:20:12.974357','olga','token','["administrator", "operator", "user"]','acts.resolve','43d8w8j7ntp','alice','','f36993419d','203.0.113.14','{"reservation": "43d8w8j7ntp", "how": "retry"}','done','','2026-11-28 19:20:13.010620');
INSERT INTO "intents" VALUES('b5da240852584428a100b6224ee35e72','2026-11-28 19:20:16.061358','alice','token','["user"]','acts.connect','43d8w8j7ntp','alice','','d5295082de','203.0.113.11','{"reservation": "43d8w8j7ntp", "address": "203.0.113.11"}','done','','2026-11-28 19:20:16.699497');
INSERT INTO "intents" VALUES('50d4afeeedb84eea89f5c59aee4f2e8e','2026-11-28 19:20:17.778738','alice','token','["user"]','acts.end','43d8w8j7ntp','alice','','d5295082de','203.0.113.11','{"reservation": "43d8w8j7ntp"}','done','','2026-11-28 19:20:17.806512');
INSERT INTO "intents" VALUES('5fe0dbc86d9141b2b051e63d2725645d','2026-11-28 19:20:20.044159','alice','token','[]','transfers.listing','','','','d5295082de','203.0.113.11','{}','refused','alice may not keep the lab: no grant gives the role administrator over everything; an administrator grants it: `vclab grant add --help`','2026-11-28 19:20:20.044321');
INSERT INTO "intents" VALUES('f969cdd226814dd694b4cbf5ae81f883','2026-11-28 19:20:21.219060','alice','token','["user"]','acts.reserve','43d8wcbqqax','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wcbqqax", "image": "debian-12-metal", "seconds": 3600.0}','done','','2026-11-28 19:20:21.486563');
INSERT INTO "intents" VALUES('f9e8ccfd9ff0424d81f39746d9bfc791','2026-11-28 19:20:48.176443','alice','token','["user"]','acts.connect','43d8wcbqqax','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wcbqqax", "address": "203.0.113.11"}','done','','2026-11-28 19:20:48.814689');
INSERT INTO "intents" VALUES('7447ae08ec7843dc835becf6cc855fdc','2026-11-28 19:20:49.347407','alice','token','["user"]','acts.connect','43d8wcbqqax','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wcbqqax", "address": "203.0.113.11"}','done','','2026-11-28 19:20:49.362530');
INSERT INTO "intents" VALUES('ee46cc1c004e4df3a4347fb3b50d7e7f','2026-11-28 19:20:50.061762','alice','token','["user"]','acts.end','43d8wcbqqax','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wcbqqax"}','done','','2026-11-28 19:20:50.092213');
INSERT INTO "intents" VALUES('3fc8d2c93f9b4d8e99b51116b73230bd','2026-11-28 19:21:08.480981','bob','token','["user"]','acts.reserve','43d8wvkjdk9','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8wvkjdk9", "image": "debian-12-metal", "seconds": 3600.0}','done','','2026-11-28 19:21:08.767405');
INSERT INTO "intents" VALUES('28cd84adbe414c1a8492c7e66361801f','2026-11-28 19:21:11.121536','bob','token','["user"]','acts.connect','43d8wvkjdk9','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8wvkjdk9", "address": "203.0.113.12"}','done','','2026-11-28 19:21:11.762545');
INSERT INTO "intents" VALUES('b2b2e2c31a4941169409d2e2343c340d','2026-11-28 19:21:12.298212','bob','token','["user"]','acts.end','43d8wvkjdk9','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8wvkjdk9"}','done','','2026-11-28 19:21:12.337054');
INSERT INTO "intents" VALUES('aa604acf2b694ecfbfeb77d16a487db8','2026-11-28 19:21:13.702080','olga','token','["administrator", "operator", "user"]','grants.add','','','','f36993419d','203.0.113.14','{"role": "image-maker", "person": "alice", "everything": true}','done','','2026-11-28 19:21:13.710585');
INSERT INTO "intents" VALUES('b24ba0ae0c444a9db1d8ca48e2a68788','2026-11-28 19:21:14.003534','alice','token','["image-maker", "user"]','acts.reserve','43d8wxh779d','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wxh779d", "image": "debian-12", "seconds": 3600.0, "imaging": true}','done','','2026-11-28 19:21:14.312079');
INSERT INTO "intents" VALUES('251228a39c76497280b8b6bc02a536d0','2026-11-28 19:21:17.717333','alice','token','["image-maker", "user"]','acts.connect','43d8wxh779d','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wxh779d", "address": "203.0.113.11"}','done','','2026-11-28 19:21:18.355373');
INSERT INTO "intents" VALUES('74ba37a3cf9046ebbe88fe7edd7399ad','2026-11-28 19:21:19.117049','alice','token','["image-maker", "user"]','acts.connect','43d8wxh779d','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wxh779d", "address": "203.0.113.11"}','done','','2026-11-28 19:21:19.133357');
INSERT INTO "intents" VALUES('7d8fe6ee4f1f441098d35c9ce19c1e18','2026-11-28 19:21:19.810106','alice','token','["image-maker", "user"]','acts.connect','43d8wxh779d','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wxh779d", "address": "203.0.113.11"}','done','','2026-11-28 19:21:19.825479');
INSERT INTO "intents" VALUES('f7ed277f36b344a980c2dd800c285274','2026-11-28 19:21:34.675029','alice','token','["image-maker", "user"]','acts.capture','43d8wxh779d','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wxh779d", "capture": "43d8x8n5vxa", "image": "demo-x8u9bm", "title": "Debian 12 that says hello"}','done','','2026-11-28 19:21:34.714955');
INSERT INTO "intents" VALUES('dbe0b9d740ea4b7bb36b97c1fd406feb','2026-11-28 19:22:27.486213','alice','token','["image-maker", "user"]','acts.connect','43d8wxh779d','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wxh779d", "address": "203.0.113.11"}','done','','2026-11-28 19:22:27.500786');
INSERT INTO "intents" VALUES('b6c2f8eb67b94607ad0642ca0955ec4c','2026-11-28 19:23:06.500903','olga','token','["administrator", "operator", "user"]','library.promote','demo-x8u9bm','','','f36993419d','203.0.113.14','{"name": "demo-x8u9bm", "revision": 1}','done','','2026-11-28 19:23:06.511747');
INSERT INTO "intents" VALUES('522ab10a925e40e6b327bb1d8cc5498f','2026-11-28 19:23:06.785479','bob','token','["user"]','acts.reserve','43d8yberaxy','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8yberaxy", "image": "demo-x8u9bm", "seconds": 3600.0}','done','','2026-11-28 19:23:07.038783');
INSERT INTO "intents" VALUES('cdc79d84709b4b1481a3e5b54a1ca20d','2026-11-28 19:23:09.406560','bob','token','["user"]','acts.connect','43d8yberaxy','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8yberaxy", "address": "203.0.113.12"}','done','','2026-11-28 19:23:10.044888');
INSERT INTO "intents" VALUES('cb76c02033274feda9b305ab669b114b','2026-11-28 19:23:10.863163','bob','token','["user"]','acts.connect','43d8yberaxy','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8yberaxy", "address": "203.0.113.12"}','done','','2026-11-28 19:23:10.878629');
INSERT INTO "intents" VALUES('54eb631f3a274ad6aa27300ee11d716e','2026-11-28 19:23:11.473277','alice','token','["image-maker", "user"]','acts.end','43d8wxh779d','alice','','d5295082de','203.0.113.11','{"reservation": "43d8wxh779d"}','done','','2026-11-28 19:23:11.505032');
INSERT INTO "intents" VALUES('f6fbc78cfdaf43bc9573fd0c78fdbdf6','2026-11-28 19:23:11.804384','bob','token','["user"]','acts.end','43d8yberaxy','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8yberaxy"}','done','','2026-11-28 19:23:11.831445');
INSERT INTO "intents" VALUES('e187d3c49a77451d9fb6e8eec7ba1483','2026-11-28 19:23:12.631714','olga','token','["administrator", "operator", "user"]','images.remove','demo-x8u9bm','','','f36993419d','203.0.113.14','{"name": "demo-x8u9bm"}','done','','2026-11-28 19:23:12.641624');
INSERT INTO "intents" VALUES('4c37cdcdc3e042f1b6f8df596043ed6c','2026-11-28 19:23:12.894104','olga','token','["administrator", "operator", "user"]','grants.add','','','','f36993419d','203.0.113.14','{"role": "image-maker", "person": "alice", "everything": true}','done','','2026-11-28 19:23:12.898297');
INSERT INTO "intents" VALUES('da063866daa94195bacab99f68aa9783','2026-11-28 19:23:13.156135','olga','token','["administrator", "operator", "user"]','grants.remove','','','','f36993419d','203.0.113.14','{"id": 1}','done','','2026-11-28 19:23:13.160336');
INSERT INTO "intents" VALUES('4b68aa000a7d4c51adcc78a7283eeabb','2026-11-28 19:23:16.074003','olga','token','["administrator", "operator", "user"]','transfers.announce','given.qcow2','','','f36993419d','203.0.113.14','{"name": "given.qcow2", "size": 191496192, "sha256": "fa924433c7ac209504fea0746529b5d3b381d203b4cd2ca25d0884b53f7dc99a"}','done','','2026-11-28 19:23:16.078357');
INSERT INTO "intents" VALUES('697fcf88a3b8456395b9ecb070341a3f','2026-11-28 19:23:16.086925','olga','token','["administrator", "operator", "user"]','transfers.write','','','','f36993419d','203.0.113.14','{"transfer": "d8985d8f8ca41c1cfe0b8a829ae979de"}','done','','2026-11-28 19:23:16.673759');
INSERT INTO "intents" VALUES('3b977d581a484262b415b874f8e27bf8','2026-11-28 19:23:16.697088','olga','token','["administrator", "operator", "user"]','library.import_image','demo-eec4sp','','','f36993419d','203.0.113.14','{"name": "demo-eec4sp", "transfer": "d8985d8f8ca41c1cfe0b8a829ae979de", "title": "A demonstration", "cpus": 1, "memory_mb": 512}','done','','2026-11-28 19:23:19.747961');
INSERT INTO "intents" VALUES('63017b198ce34ba7b4dc3461252a83cb','2026-11-28 19:23:20.038527','alice','token','["user"]','acts.reserve','43d8yfxve93','alice','','d5295082de','203.0.113.11','{"reservation": "43d8yfxve93", "image": "demo-eec4sp", "seconds": 3600.0}','done','','2026-11-28 19:23:20.288407');
INSERT INTO "intents" VALUES('40d537aad29e4d80aa33d1470c793209','2026-11-28 19:23:31.708950','olga','token','["administrator", "operator", "user"]','hosts.rest','esx2','','','f36993419d','203.0.113.14','{"name": "esx2", "reason": "so that bob gets the other one"}','done','','2026-11-28 19:23:31.723719');
INSERT INTO "intents" VALUES('34eb37c47b8e4eeba1cfcae644145012','2026-11-28 19:23:32.019185','bob','token','["user"]','acts.reserve','43d8ym5nd5d','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8ym5nd5d", "image": "demo-eec4sp", "seconds": 3600.0}','done','','2026-11-28 19:23:32.274114');
INSERT INTO "intents" VALUES('91616bced696423c8918854798ea71c6','2026-11-28 19:23:34.606234','olga','token','["administrator", "operator", "user"]','hosts.wake','esx2','','','f36993419d','203.0.113.14','{"name": "esx2"}','done','','2026-11-28 19:23:34.612432');
INSERT INTO "intents" VALUES('9cb0e730dade4df585ede0c008b3a6af','2026-11-28 19:23:35.426730','olga','token','["administrator", "operator", "user"]','transfers.announce','given.qcow2','','','f36993419d','203.0.113.14','{"name": "given.qcow2", "size": 191496192, "sha256": "fa924433c7ac209504fea0746529b5d3b381d203b4cd2ca25d0884b53f7dc99a"}','done','','2026-11-28 19:23:35.430437');
INSERT INTO "intents" VALUES('c0d38c94acd5498491dc4fd5cdb73311','2026-11-28 19:23:35.438866','olga','token','["administrator", "operator", "user"]','transfers.write','','','','f36993419d','203.0.113.14','{"transfer": "e996ab59128f7f3a5582586776ad0ff3"}','done','','2026-11-28 19:23:36.091584');
INSERT INTO "intents" VALUES('78c656588a514550ab25ea67dfa21cbe','2026-11-28 19:23:36.114973','olga','token','["administrator", "operator", "user"]','library.import_image','demo-eec4sp','','','f36993419d','203.0.113.14','{"name": "demo-eec4sp", "transfer": "e996ab59128f7f3a5582586776ad0ff3", "notes": "the new one"}','done','','2026-11-28 19:23:39.119785');
INSERT INTO "intents" VALUES('9b70ed737fe4408dacf75e48e88e0471','2026-11-28 19:23:39.409552','olga','token','["administrator", "operator", "user"]','library.promote','demo-eec4sp','','','f36993419d','203.0.113.14','{"name": "demo-eec4sp", "revision": 2}','done','','2026-11-28 19:23:39.417488');
INSERT INTO "intents" VALUES('7b5cded9b71d4e3597aabd30fdd0c5bd','2026-11-28 19:23:39.700035','carol','token','["user"]','acts.reserve','43d8yprtysq','carol','','39f6135653','203.0.113.13','{"reservation": "43d8yprtysq", "image": "demo-eec4sp", "seconds": 3600.0}','done','','2026-11-28 19:23:39.963884');
INSERT INTO "intents" VALUES('a4d0481c913a4ae2ac1ca795d379e8be','2026-11-28 19:23:52.471693','olga','token','["administrator", "operator", "user"]','library.retire','demo-eec4sp','','','f36993419d','203.0.113.14','{"name": "demo-eec4sp", "revision": 1}','done','','2026-11-28 19:23:52.479508');
INSERT INTO "intents" VALUES('24b5bc1de6da408ebe2c4a9f887e86dd','2026-11-28 19:23:52.771366','alice','token','["user"]','acts.connect','43d8yfxve93','alice','','d5295082de','203.0.113.11','{"reservation": "43d8yfxve93", "address": "203.0.113.11"}','done','','2026-11-28 19:23:53.408923');
INSERT INTO "intents" VALUES('abd5e9a5db5e47cdaf4d547be0938043','2026-11-28 19:23:53.940285','olga','token','["administrator", "operator", "user"]','library.export_image','demo-eec4sp','','','f36993419d','203.0.113.14','{"name": "demo-eec4sp", "format": "raw"}','done','','2026-11-28 19:24:02.399060');
INSERT INTO "intents" VALUES('3519b3b7a1854820bccd04dc2c81fcad','2026-11-28 19:24:41.676602','olga','token','["administrator", "operator", "user"]','transfers.remove','','','','f36993419d','203.0.113.14','{"transfer": "4ce62018452655a90aef7ca29af8f429"}','done','','2026-11-28 19:24:41.737145');
INSERT INTO "intents" VALUES('7487716450f047d78406db9cbc33d31e','2026-11-28 19:24:50.887814','alice','token','["user"]','acts.end','43d8yfxve93','alice','','d5295082de','203.0.113.11','{"reservation": "43d8yfxve93"}','done','','2026-11-28 19:24:50.917012');
INSERT INTO "intents" VALUES('6840c012c85a4b548107636340372206','2026-11-28 19:24:51.224013','bob','token','["user"]','acts.end','43d8ym5nd5d','bob','','a7244148a7','203.0.113.12','{"reservation": "43d8ym5nd5d"}','done','','2026-11-28 19:24:51.267980');
INSERT INTO "intents" VALUES('1dbdd4939c4e478ebbbd4234a1bfd272','2026-11-28 19:24:51.626983','carol','token','["user"]','acts.end','43d8yprtysq','carol','','39f6135653','203.0.113.13','{"reservation": "43d8yprtysq"}','done','','2026-11-28 19:24:51.665066');
CREATE TABLE inventories (
	endpoint VARCHAR NOT NULL, 
	epoch INTEGER NOT NULL, 
	taken_at DATETIME, 
	answer VARCHAR, 
	CONSTRAINT pk_inventories PRIMARY KEY (endpoint)
);
INSERT INTO "inventories" VALUES('lab-vcenter',1,'2026-11-28 19:23:39.758981','{"endpoint":"lab-vcenter","taken_at":"2026-11-28T19:23:39.758981Z","hosts":[{"name":"esx1","cpus":32,"memory_mb":15360,"usable":true,"why_not":"","datastores":["ds1","ds2"]},{"name":"esx2","cpus":32,"memory_mb":15360,"usable":true,"why_not":"","datastores":["ds1","ds2"]}],"datastores":[{"name":"ds1","disk_gb":424,"free_gb":499,"usable":true,"why_not":"","linked":true,"filled":false},{"name":"ds2","disk_gb":424,"free_gb":499,"usable":true,"why_not":"","linked":true,"filled":false}],"error":"","policies":{"hosts":"best-fit","datastores":"spread"}}');
INSERT INTO "inventories" VALUES('lab-machines',1,'2026-11-28 19:23:39.908600','{"endpoint":"lab-machines","taken_at":"2026-11-28T19:23:39.908600Z","hosts":[{"name":"lab01","cpus":0,"memory_mb":0,"usable":true,"why_not":"","datastores":[]},{"name":"lab02","cpus":0,"memory_mb":0,"usable":true,"why_not":"","datastores":[]}],"datastores":[],"error":"","policies":{"hosts":"best-fit","datastores":"spread"}}');
INSERT INTO "inventories" VALUES('metal',1,'2026-11-28 19:23:39.734535','{"endpoint":"metal","taken_at":"2026-11-28T19:23:39.734535Z","hosts":[{"name":"metal01","cpus":0,"memory_mb":0,"usable":true,"why_not":"","datastores":[]},{"name":"metal02","cpus":0,"memory_mb":0,"usable":true,"why_not":"","datastores":[]},{"name":"metal03","cpus":0,"memory_mb":0,"usable":true,"why_not":"","datastores":[]},{"name":"metal04","cpus":0,"memory_mb":0,"usable":true,"why_not":"","datastores":[]}],"datastores":[],"error":"","policies":{"hosts":"best-fit","datastores":"spread"}}');
CREATE TABLE keyed_acts (
	actor VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	asked VARCHAR NOT NULL, 
	intent VARCHAR NOT NULL, 
	reservation VARCHAR NOT NULL, 
	began_at DATETIME NOT NULL, 
	held_until DATETIME, 
	status INTEGER NOT NULL, 
	answer VARCHAR NOT NULL, 
	CONSTRAINT pk_keyed_acts PRIMARY KEY (actor, "key")
);
INSERT INTO "keyed_acts" VALUES('alice','79e9124dcd0e4b88be6499c05ac4c368','2ed479dd6de99a69cc8a106df8a65535755fee5637d972794740b24f8aaad272','93b83fa2663e4f7789b3026cd53430ee','43d8vmabu57','2026-11-28 19:19:20.159371',NULL,200,'{"id":"43d8vm83c3k","user":"alice","image":"debian-12","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm01","generation":1,"host":"esx1","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:19:20Z","start":"2026-11-28T19:19:20Z","preload_at":null,"end":"2026-11-28T20:19:20Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','892d9a987efe402fb47a80f103fa298e','cda97f8dfb353f26c6705f4148439c937542eac778722cdb61b8deb1ca8a1503','935bde5811a24a0eb547e94df3e91b2e','43d8vp94d5q','2026-11-28 19:19:25.837214',NULL,200,'{"id":"43d8vm83c3k","user":"alice","image":"debian-12","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":1,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID2Q0aHGs5NVwIkiRNxoGqzWSvh7Hy1dcOgF/XEfB4zx","host_key_verified":true,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:19:20Z","start":"2026-11-28T19:19:20Z","preload_at":null,"end":"2026-11-28T20:19:20Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','07c49601653040648bdfc605aec33e27','cda97f8dfb353f26c6705f4148439c937542eac778722cdb61b8deb1ca8a1503','5a9e298571ee4c54a29dc42b9294759e','43d8vpv774p','2026-11-28 19:19:27.710169',NULL,200,'{"id":"43d8vm83c3k","user":"alice","image":"debian-12","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":1,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID2Q0aHGs5NVwIkiRNxoGqzWSvh7Hy1dcOgF/XEfB4zx","host_key_verified":true,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:19:20Z","start":"2026-11-28T19:19:20Z","preload_at":null,"end":"2026-11-28T20:19:20Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','13379672b3d94253a9b65792ec685c04','eb682f75019b021971e1cdfa438d09a4f5c892c2e042bf8cad9495d0ef186d8d','c12c65efd2b647f4a9a2152b1214675e','43d8vr7xr6n','2026-11-28 19:19:31.492268',NULL,200,'{"id":"43d8vm83c3k","user":"alice","image":"debian-12","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":1,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID2Q0aHGs5NVwIkiRNxoGqzWSvh7Hy1dcOgF/XEfB4zx","host_key_verified":true,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:19:20Z","start":"2026-11-28T19:19:20Z","preload_at":null,"end":"2026-11-28T20:49:20Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','3ccbc8e22ce940f2b7c13c7e1f140325','e07ed797e50cab41ff8c7463361bc2e2fc14cba0e5b5ac46a9d243d7c867eab4','1d971ca295874d33aa0a18dd27b1b867','43d8vrfswyy','2026-11-28 19:19:32.264560',NULL,200,'{"id":"43d8vm83c3k","user":"alice","image":"debian-12","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"vm01","generation":1,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID2Q0aHGs5NVwIkiRNxoGqzWSvh7Hy1dcOgF/XEfB4zx","host_key_verified":true,"remote_addresses":["203.0.113.11"],"access_open":false,"connected":false,"created":"2026-11-28T19:19:20Z","start":"2026-11-28T19:19:20Z","preload_at":null,"end":"2026-11-28T20:49:20Z","ended_at":"2026-11-28T19:19:32Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('alice','3de559a9a6d04b12827cac653354aaf2','893d2b78098465086ee0bdd192bdd403951ba714c35bed4739d34d63ad1eb0ca','1743d0f327164dc0860c4a8eb6c1f787','43d8vsd3fkk','2026-11-28 19:19:34.975939',NULL,200,'{"id":"43d8vscq5db","user":"alice","image":"lab-debian","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"lab02","generation":1,"host":"lab02","endpoint":"lab-machines","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:19:35Z","start":"2026-11-28T19:19:35Z","preload_at":null,"end":"2026-11-28T20:19:35Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','da5d83d61cc34a57a9912b761b945c4f','54b5a8f8582973564958b9e863dbcc590f321a6b338a41acbb60353faff81591','224194f8dc97440693c55e4ad74df539','43d8vtccjac','2026-11-28 19:19:37.755599',NULL,409,'{"type":"urn:vclab:problem:refused","title":"Conflict","status":409,"detail":"no lab machine is free at that time; there is room from 2026-11-28 20:25 UTC on, for 1 h (lab-machines/lab01: somebody is logged in at it: root on console, root on the console; lab-machines/lab02: is held by 43d8vscq5db, probably until 2026-11-28 20:24 UTC)","code":"refused","hint":"","errors":[],"more":{}}');
INSERT INTO "keyed_acts" VALUES('alice','c009c418086c4bbe96b1566b9019bd3f','86c7a33ec95cbfc3a790e84c728d4f63da870de2adda46a317db83c8a4e2ddb5','0c971438c8e24a62aa2a42f02d91887c','43d8vtrfekf','2026-11-28 19:19:38.991325',NULL,200,'{"id":"43d8vscq5db","user":"alice","image":"lab-debian","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"lab02","generation":1,"host":"lab02","endpoint":"lab-machines","address":"203.0.113.22","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOzS5OxHdeXYixA+M0p+NaJIQ6bXjTWH5Zhrki1CNNMQ","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:19:35Z","start":"2026-11-28T19:19:35Z","preload_at":null,"end":"2026-11-28T20:19:35Z","ended_at":null,"dismissed_at":null,"step":5,"steps":5,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','9bc046303d074d0ca6827f74638fbca3','12bdc02800af32e702b1aaf6440bc5b116d72f58d72b893a47fe8890b5ada423','eb1252456f0949669872a3ac3f96a3b2','43d8vvajbme','2026-11-28 19:19:43.385751',NULL,200,'{"id":"43d8vscq5db","user":"alice","image":"lab-debian","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"lab02","generation":1,"host":"lab02","endpoint":"lab-machines","address":"203.0.113.22","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOzS5OxHdeXYixA+M0p+NaJIQ6bXjTWH5Zhrki1CNNMQ","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":false,"connected":false,"created":"2026-11-28T19:19:35Z","start":"2026-11-28T19:19:35Z","preload_at":null,"end":"2026-11-28T20:19:35Z","ended_at":"2026-11-28T19:19:43Z","dismissed_at":null,"step":5,"steps":5,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('alice','358dccb1c2f84abe96bc58f18d872d2b','6ff31ccc9952bfc3b5d7d254bddce3e82e0708e133895ca3496af8229b81bab5','abd0e18fd8e245d6a8e4a013e86b5a2d','43d8vw86tnp','2026-11-28 19:19:46.046762',NULL,200,'{"id":"43d8vw73bkx","user":"alice","image":"lab-debian","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"lab01","generation":1,"host":"lab01","endpoint":"lab-machines","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:19:46Z","start":"2026-11-28T19:19:46Z","preload_at":null,"end":"2026-11-28T20:19:47Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','45022085c7eb4aeca0c50efe97274c71','e1c00d888784ddff3a327fa27d77bc76f660f498e1d15a76a1f27e3373b70015','c4fe775854e9454f8b4403ae680a72fb','43d8vx5neqd','2026-11-28 19:19:48.675769',NULL,200,'{"id":"43d8vw73bkx","user":"alice","image":"lab-debian","revision":1,"state":"reclaim","word":"Ended","ending":"deleted","computer":"lab01","generation":1,"host":"lab01","endpoint":"lab-machines","address":"203.0.113.21","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINKdf/pD58bGyDqHhskaYgmbVaUDxWy9Lia+34vHH1i","host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:19:46Z","start":"2026-11-28T19:19:46Z","preload_at":null,"end":"2026-11-28T20:19:47Z","ended_at":"2026-11-28T19:19:48Z","dismissed_at":null,"step":5,"steps":5,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('alice','4bc79289124d434d98aba5e9931e3abe','2ef3c6e1afa4c65eae477d64621c637dfacefb99671329063f267cbc5ec7f5f0','5c3935e5150d4b2fbc76b7f07d9fcf15','43d8vxu86r5','2026-11-28 19:19:50.886212',NULL,200,'{"id":"43d8vxu7hhq","user":"alice","image":"debian-12-large","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm01","generation":2,"host":"esx1","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:19:51Z","start":"2026-11-28T19:19:51Z","preload_at":null,"end":"2026-11-28T20:19:51Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('bob','4675a5b8cd6e46628cb08548b4344831','6617aa485c77f2ff16d188b89c2e5d6cfdaf6a72b4c3e81bdfc86b2f959b5cdf','0f5b573c6a6f41e9a5eaac0b1b272f9d','43d8w368vka','2026-11-28 19:19:54.581954',NULL,200,'{"id":"43d8w35w4t4","user":"bob","image":"debian-12-large","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm02","generation":1,"host":"esx2","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:19:54Z","start":"2026-11-28T19:19:54Z","preload_at":null,"end":"2026-11-28T20:19:57Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','825013bbf2784644881a5125c2689494','78a6f87a8f9d3e4a689360d0c27f7527a14f1b24ba59c96d41dd68461019a12b','d81e7692668248a7a04c381d15d35cad','43d8w4e6jx5','2026-11-28 19:19:58.264407',NULL,200,'{"id":"43d8vxu7hhq","user":"alice","image":"debian-12-large","revision":1,"state":"reclaim","word":"Ended","ending":"deleted","computer":"vm01","generation":2,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINeGlXFJfTjrHdNw40HvDyy0rE3t/JPSR7Hh6EtqnR6q","host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:19:51Z","start":"2026-11-28T19:19:51Z","preload_at":null,"end":"2026-11-28T20:19:51Z","ended_at":"2026-11-28T19:19:58Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":"ended by olga","needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('olga','1ae37e33deb74b4cbe6639b373dece9e','3eb701508dfad62d2f375e2b2fae03f242be135312a2536df4330a0bef1324e1','9d76deff14654bfcabd2686159cd7428','43d8w4hmdgv','2026-11-28 19:19:58.596288',NULL,200,'{"id":"43d8w35w4t4","user":"bob","image":"debian-12-large","revision":1,"state":"reclaim","word":"Ended","ending":"deleted","computer":"vm02","generation":1,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.217","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILaA0xwLe8iQjpLhI4/ACTncPXHokRTIDs4i53jmnyZE","host_key_verified":true,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:19:54Z","start":"2026-11-28T19:19:54Z","preload_at":null,"end":"2026-11-28T20:19:57Z","ended_at":"2026-11-28T19:19:58Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":"ended by olga","needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('carol','a861ca93b009480090ded556af8a84c1','79cd3c9c2cdbb8f9e4d92c8d24d0f35a555de8af77f5510ae56f8571c778c013','645389eb0f914f928bf7f6336bfa2f47','43d8w53ueck','2026-11-28 19:20:00.085121',NULL,200,'{"id":"43d8w4ypkkx","user":"carol","image":"debian-12-large","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm01","generation":3,"host":"esx1","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINeGlXFJfTjrHdNw40HvDyy0rE3t/JPSR7Hh6EtqnR6q","host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:20:00Z","start":"2026-11-28T19:20:00Z","preload_at":null,"end":"2026-11-28T20:20:02Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('carol','d835b6cb6ed04534b43f59d652f2d7c9','84b9d4c6afbad51d381144668d74f43b32e6cfb5b7febc01c233d657a690f79f','091cf845e697465d90c98cc1e485d1b5','43d8w5me4ua','2026-11-28 19:20:01.728537',NULL,200,'{"id":"43d8w4ypkkx","user":"carol","image":"debian-12-large","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":3,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINeGlXFJfTjrHdNw40HvDyy0rE3t/JPSR7Hh6EtqnR6q","host_key_verified":false,"remote_addresses":["203.0.113.13"],"access_open":true,"connected":false,"created":"2026-11-28T19:20:00Z","start":"2026-11-28T19:20:00Z","preload_at":null,"end":"2026-11-28T20:20:02Z","ended_at":null,"dismissed_at":null,"step":3,"steps":3,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','147aca9168ef49a8bda69b04a361d7e3','eb19a0c3462d5049722578073a01ee7fdd4bf2dd57b25ee895d4483af7af7458','cfdc6c20629048979689a073acec0412','43d8w63bkbb','2026-11-28 19:20:02.930978',NULL,200,'{"name":"whole-host","title":"whole-host","revision":1,"module":"vsphere","guest":"linux","cpus":4,"memory_mb":12288,"disk_gb":16,"root_access":true,"ports":[22],"endpoint":"","hardware":{"firmware":"","controller":"","card":"","guest_id":""},"dedicated":false,"child_factor":0.0,"module_data":{"master_path":"vclab-images/debian-12-large/1/disk.vmdk","datastore":"ds1","guest_id":"debian12_64Guest"},"error":null,"source":"[ds1] vclab-images/debian-12-large/1/disk.vmdk","disabled_at":null,"disabled_why":""}');
INSERT INTO "keyed_acts" VALUES('olga','d718467eb5884d0fb5b3fe155c663240','5e4880a385ef33d686850cd52eecda10b152b6f0d12e5d1d6939d5e0568315bc','5f9d73d911f6494c8d2ccf3fc69ceb37','43d8w694ahy','2026-11-28 19:20:03.589816',NULL,200,'{"id":"43d8w69chht","user":"olga","image":"whole-host","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm02","generation":2,"host":"esx2","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:20:03Z","start":"2026-11-28T19:20:03Z","preload_at":null,"end":"2026-11-28T20:20:03Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','da5354005df64a3ea9296e62dbecdd07','99b89547504448f7d39a2f615b1d7b5c98ef3d1967663e5087ee4a57da231796','3849f153f8f04d0eae7abc5606b12d0f','43d8w776bcv','2026-11-28 19:20:06.232226',NULL,200,'{"id":"43d8w69chht","user":"olga","image":"whole-host","revision":1,"state":"reclaim","word":"Ended","ending":"deleted","computer":"vm02","generation":2,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.217","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdSy+TVzIe43CdniOX9f30hN8wQG07XehMiyjyWLfTI","host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:20:03Z","start":"2026-11-28T19:20:03Z","preload_at":null,"end":"2026-11-28T20:20:03Z","ended_at":"2026-11-28T19:20:06Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('carol','deee1177501e4fdab876c8f9c7777dbf','f9e38cb95550c5bb880515331a9404661e4fbbf17b29795bdd9bb6b3b21c9b28','22da09e2f9b442dbae09cd92d17a89be','43d8w7pbc4g','2026-11-28 19:20:07.784064',NULL,200,'{"id":"43d8w4ypkkx","user":"carol","image":"debian-12-large","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"vm01","generation":3,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINeGlXFJfTjrHdNw40HvDyy0rE3t/JPSR7Hh6EtqnR6q","host_key_verified":false,"remote_addresses":["203.0.113.13"],"access_open":false,"connected":false,"created":"2026-11-28T19:20:00Z","start":"2026-11-28T19:20:00Z","preload_at":null,"end":"2026-11-28T20:20:02Z","ended_at":"2026-11-28T19:20:07Z","dismissed_at":null,"step":3,"steps":3,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('alice','63dbc10471964b7787c358bfde5df345','921cf3930af6225f32ab0490ed5a801599183107a81741a80429e7bf048ec631','9072c5eca5e44bc9bb45e146a59c71ab','43d8w8kebr6','2026-11-28 19:20:10.350292',NULL,200,'{"id":"43d8w8j7ntp","user":"alice","image":"debian-12","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm01","generation":4,"host":"esx2","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:20:10Z","start":"2026-11-28T19:20:10Z","preload_at":null,"end":"2026-11-28T20:20:14Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','98cd240eeee24597bc00aacc8908df5b','725e43a12e7ef426917b263f10633554a8d8e5940be785c7b6ec4ccd572fccf0','eb78386875404566808e09c5f6b1849f','43d8w9gwvu9','2026-11-28 19:20:12.969680',NULL,200,'{"id":"43d8w8j7ntp","user":"alice","image":"debian-12","revision":1,"state":"new","word":"Preparing (3/7)","ending":null,"computer":"vm01","generation":5,"host":"esx1","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:20:10Z","start":"2026-11-28T19:20:10Z","preload_at":null,"end":"2026-11-28T20:20:15Z","ended_at":null,"dismissed_at":null,"step":3,"steps":7,"step_title":"Power it on","reason":"2 s were lost through a fault of the lab; the end is now 2026-11-28 20:20 UTC","needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','31fbe3c3dc00409abd331cf0aaad4c34','d8ee486aab03ce23445b9616ead611e72e8e9a6ac0fdb9ac7c99a0681e4e9362','b5da240852584428a100b6224ee35e72','43d8wajxyu6','2026-11-28 19:20:16.055841',NULL,200,'{"id":"43d8w8j7ntp","user":"alice","image":"debian-12","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":5,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt8Cbla/hwGWVtDBWfeAxMefw/J3/fVvnsgXjytyTQi","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:20:10Z","start":"2026-11-28T19:20:10Z","preload_at":null,"end":"2026-11-28T20:20:15Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":"2 s were lost through a fault of the lab; the end is now 2026-11-28 20:20 UTC","needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','516fd58f6ae8492194a3a9403ff7d95f','86a63a6c07a1271cd0659a169b739874142061c0242019ca522fd8b97f23024f','50d4afeeedb84eea89f5c59aee4f2e8e','43d8wb6as5v','2026-11-28 19:20:17.773285',NULL,200,'{"id":"43d8w8j7ntp","user":"alice","image":"debian-12","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"vm01","generation":5,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt8Cbla/hwGWVtDBWfeAxMefw/J3/fVvnsgXjytyTQi","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":false,"connected":false,"created":"2026-11-28T19:20:10Z","start":"2026-11-28T19:20:10Z","preload_at":null,"end":"2026-11-28T20:20:15Z","ended_at":"2026-11-28T19:20:17Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('alice','17ec934e6f9e4b11a46e7874fbfa3257','78115801c0b2cb67fb1b461f016bc8355d2f7fcf3c0bad694e19de48eb28d016','f969cdd226814dd694b4cbf5ae81f883','43d8wccnhgd','2026-11-28 19:20:21.215753',NULL,200,'{"id":"43d8wcbqqax","user":"alice","image":"debian-12-metal","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"metal01","generation":1,"host":"metal01","endpoint":"metal","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:20:21Z","start":"2026-11-28T19:20:21Z","preload_at":null,"end":"2026-11-28T20:20:21Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','b0f6abbfb37744f891c3a0e3320eb2eb','4a27edbd5b5e75b848f73c99273e1a3e81ca8b48ed9ec381a1f6d2920bb65709','f9e8ccfd9ff0424d81f39746d9bfc791','43d8wnm7ann','2026-11-28 19:20:48.171787',NULL,200,'{"id":"43d8wcbqqax","user":"alice","image":"debian-12-metal","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"metal01","generation":1,"host":"metal01","endpoint":"metal","address":"203.0.113.31","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBPfz2fWzEE/c+XgMjaFjuR23L0zg+EJpV+OK9YYTBo9","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:20:21Z","start":"2026-11-28T19:20:21Z","preload_at":null,"end":"2026-11-28T20:20:21Z","ended_at":null,"dismissed_at":null,"step":15,"steps":15,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','2d71d48c96944a55bf93d142e4cc879b','4a27edbd5b5e75b848f73c99273e1a3e81ca8b48ed9ec381a1f6d2920bb65709','7447ae08ec7843dc835becf6cc855fdc','43d8wp35tbp','2026-11-28 19:20:49.343146',NULL,200,'{"id":"43d8wcbqqax","user":"alice","image":"debian-12-metal","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"metal01","generation":1,"host":"metal01","endpoint":"metal","address":"203.0.113.31","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBPfz2fWzEE/c+XgMjaFjuR23L0zg+EJpV+OK9YYTBo9","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:20:21Z","start":"2026-11-28T19:20:21Z","preload_at":null,"end":"2026-11-28T20:20:21Z","ended_at":null,"dismissed_at":null,"step":15,"steps":15,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','1aca79bdacde47e48ba329fafd99fdf3','424199e7b3f48d23310429898cc89ae81b29d22cb1332889ac66bbde0c7e045c','ee46cc1c004e4df3a4347fb3b50d7e7f','43d8wpagvph','2026-11-28 19:20:50.057403',NULL,200,'{"id":"43d8wcbqqax","user":"alice","image":"debian-12-metal","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"metal01","generation":1,"host":"metal01","endpoint":"metal","address":"203.0.113.31","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBPfz2fWzEE/c+XgMjaFjuR23L0zg+EJpV+OK9YYTBo9","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":false,"connected":false,"created":"2026-11-28T19:20:21Z","start":"2026-11-28T19:20:21Z","preload_at":null,"end":"2026-11-28T20:20:21Z","ended_at":"2026-11-28T19:20:50Z","dismissed_at":null,"step":15,"steps":15,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('bob','c9e20330c0104a7f974cad459a637451','49324530a9f7bc228274bf76506f6fddbe402e06783f82b875bd77907352b3e4','3fc8d2c93f9b4d8e99b51116b73230bd','43d8wvmdp63','2026-11-28 19:21:08.477635',NULL,200,'{"id":"43d8wvkjdk9","user":"bob","image":"debian-12-metal","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"metal01","generation":3,"host":"metal01","endpoint":"metal","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:21:08Z","start":"2026-11-28T19:21:08Z","preload_at":null,"end":"2026-11-28T20:21:29Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('bob','3cbe94eff5624444906ebe3102591102','9b8889d738de37ef388f5aa670d260e6817ab909dfae74a42213bac3c5888641','28cd84adbe414c1a8492c7e66361801f','43d8wwjhybu','2026-11-28 19:21:11.116953',NULL,200,'{"id":"43d8wvkjdk9","user":"bob","image":"debian-12-metal","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"metal01","generation":3,"host":"metal01","endpoint":"metal","address":"203.0.113.31","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDPfHB09OvVxxzd2u3RAaX7OCM8dyycvACYA1FiFu6u","host_key_verified":false,"remote_addresses":["203.0.113.12"],"access_open":true,"connected":false,"created":"2026-11-28T19:21:08Z","start":"2026-11-28T19:21:08Z","preload_at":null,"end":"2026-11-28T20:21:29Z","ended_at":null,"dismissed_at":null,"step":5,"steps":5,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('bob','05f80ea86bd149a8a1d2a313b8058a0b','f24c248ab41ee932c5079dd7548fde8e1bfe601f85f7703fc2e2840e39f5a9a7','b2b2e2c31a4941169409d2e2343c340d','43d8wwwe9qt','2026-11-28 19:21:12.293294',NULL,200,'{"id":"43d8wvkjdk9","user":"bob","image":"debian-12-metal","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"metal01","generation":3,"host":"metal01","endpoint":"metal","address":"203.0.113.31","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDPfHB09OvVxxzd2u3RAaX7OCM8dyycvACYA1FiFu6u","host_key_verified":false,"remote_addresses":["203.0.113.12"],"access_open":false,"connected":false,"created":"2026-11-28T19:21:08Z","start":"2026-11-28T19:21:08Z","preload_at":null,"end":"2026-11-28T20:21:29Z","ended_at":"2026-11-28T19:21:12Z","dismissed_at":null,"step":5,"steps":5,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('olga','a035c2c3232f447384324e51f8dc5e77','a1bced967eda325a0b625ef48b87ea969ed7518cba7c65a025cebbf1db86c0aa','aa604acf2b694ecfbfeb77d16a487db8','43d8wxehf7k','2026-11-28 19:21:13.698321',NULL,200,'{"id":1,"role":"image-maker","to_kind":"person","to":"alice","on":"","text":"image-maker to alice over everything (grant 1)","made_at":"2026-11-28T19:21:13Z","made_by":"olga"}');
INSERT INTO "keyed_acts" VALUES('alice','75ddb12c166a4930a75be3ebd06c051c','a847016208456593e89a61b1c8ad31103289f27c5e5a6911dd137fad1a9d43f0','b24ba0ae0c444a9db1d8ca48e2a68788','43d8wxhtf5p','2026-11-28 19:21:13.999614',NULL,200,'{"id":"43d8wxh779d","user":"alice","image":"debian-12","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm01","generation":6,"host":"esx2","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":true,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:21:14Z","start":"2026-11-28T19:21:14Z","preload_at":null,"end":"2026-11-28T20:21:16Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','bd02f7cd81e946a0a1ee4b03ee5191ad','60dc7ab0bc981dd3e541a8ffb9a1841194ad1034c599368ba3f9f7e5819c8dc5','251228a39c76497280b8b6bc02a536d0','43d8wyt4scg','2026-11-28 19:21:17.713038',NULL,200,'{"id":"43d8wxh779d","user":"alice","image":"debian-12","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":6,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":true,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIjzDXE+9HD/4Q2HKbK00oubsxd6lzpDnXmUSGiQpxv","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:21:14Z","start":"2026-11-28T19:21:14Z","preload_at":null,"end":"2026-11-28T20:21:16Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','6bad56effffa45f69c20d5698840c156','60dc7ab0bc981dd3e541a8ffb9a1841194ad1034c599368ba3f9f7e5819c8dc5','74ba37a3cf9046ebbe88fe7edd7399ad','43d8x3bn89u','2026-11-28 19:21:19.112322',NULL,200,'{"id":"43d8wxh779d","user":"alice","image":"debian-12","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":6,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":true,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIjzDXE+9HD/4Q2HKbK00oubsxd6lzpDnXmUSGiQpxv","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:21:14Z","start":"2026-11-28T19:21:14Z","preload_at":null,"end":"2026-11-28T20:21:16Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','5f6fbc70f3b14071ac2563a3ba697ff9','60dc7ab0bc981dd3e541a8ffb9a1841194ad1034c599368ba3f9f7e5819c8dc5','7d8fe6ee4f1f441098d35c9ce19c1e18','43d8x3j3674','2026-11-28 19:21:19.805715',NULL,200,'{"id":"43d8wxh779d","user":"alice","image":"debian-12","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":6,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":true,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIjzDXE+9HD/4Q2HKbK00oubsxd6lzpDnXmUSGiQpxv","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:21:14Z","start":"2026-11-28T19:21:14Z","preload_at":null,"end":"2026-11-28T20:21:16Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','e0fb4ab474734593937dae78133e9a15','63bdc17823210cfe9aa237341e0721b8e2b9589c07c4c5c72cdaff2c1890a3b3','f7ed277f36b344a980c2dd800c285274','43d8x8nnhyv','2026-11-28 19:21:34.668166',NULL,200,'{"id":"43d8wxh779d","user":"alice","image":"debian-12","revision":1,"state":"inuse","word":"Saving image (7/7)","ending":null,"computer":"vm01","generation":6,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":true,"capture_at_end":false,"becomes":"demo-x8u9bm/1","host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIjzDXE+9HD/4Q2HKbK00oubsxd6lzpDnXmUSGiQpxv","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":true,"created":"2026-11-28T19:21:14Z","start":"2026-11-28T19:21:14Z","preload_at":null,"end":"2026-11-28T20:21:16Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','e45d726a940242a79c8f9c30ce6ddcde','60dc7ab0bc981dd3e541a8ffb9a1841194ad1034c599368ba3f9f7e5819c8dc5','dbe0b9d740ea4b7bb36b97c1fd406feb','43d8xtuku63','2026-11-28 19:22:27.482078',NULL,200,'{"id":"43d8wxh779d","user":"alice","image":"debian-12","revision":1,"state":"inuse","word":"In use","ending":null,"computer":"vm01","generation":6,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":true,"capture_at_end":false,"becomes":"demo-x8u9bm/1","host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIjzDXE+9HD/4Q2HKbK00oubsxd6lzpDnXmUSGiQpxv","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":true,"created":"2026-11-28T19:21:14Z","start":"2026-11-28T19:21:14Z","preload_at":null,"end":"2026-11-28T20:21:16Z","ended_at":null,"dismissed_at":null,"step":5,"steps":10,"step_title":"Find its private address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','868885d739a6450699168edfb9d8fbc6','9f595eebff6b52fc0f94f476d79ca870e0081d79bac266bcd8c3fe755a34bfdc','b6c2f8eb67b94607ad0642ca0955ec4c','43d8ybbars3','2026-11-28 19:23:06.496134',NULL,200,'{"image":"demo-x8u9bm","revision":1,"state":"production","sha256":"1bf7b84f6a95d67c0f7f30c8c88d812ce6724ad9d1692c29f44fd655e06f3e0c","size":8589934592,"made_at":"2026-11-28T19:23:04Z","made_by":"alice","parent":"debian-12/1","reservation":"43d8wxh779d","notes":"","untried":false,"differs":1196032,"retired_at":null,"copies":[{"place":"ds1 of lab-vcenter","endpoint":"lab-vcenter","storage":"ds1","state":"usable","why":"","since":"2026-11-28T19:23:04Z","ours":true,"verified_at":"2026-11-28T19:23:04Z","waiting":0,"children":[]}]}');
INSERT INTO "keyed_acts" VALUES('bob','488af083328e42e4a90ed47ad8a122b5','efc224182150bc4e61ab1fabc1da73241ae579cc61a69b617d5f73de95ae8755','522ab10a925e40e6b327bb1d8cc5498f','43d8ybeq3jq','2026-11-28 19:23:06.782051',NULL,200,'{"id":"43d8yberaxy","user":"bob","image":"demo-x8u9bm","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm03","generation":3,"host":"esx2","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:23:06Z","start":"2026-11-28T19:23:06Z","preload_at":null,"end":"2026-11-28T20:23:06Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('bob','0c35ef31e48b4be38ba3e50a0e36e06c','eec4a6af44e84d23713fb3aa0ded19135c5f508823d170e48a5b43c3850b598c','cdc79d84709b4b1481a3e5b54a1ca20d','43d8yccr7rr','2026-11-28 19:23:09.401336',NULL,200,'{"id":"43d8yberaxy","user":"bob","image":"demo-x8u9bm","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm03","generation":3,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.218","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG7gHUTbb7YKKyV+mnYqzqm/AGd1oiMBgwbe/3Js76Er","host_key_verified":false,"remote_addresses":["203.0.113.12"],"access_open":true,"connected":false,"created":"2026-11-28T19:23:06Z","start":"2026-11-28T19:23:06Z","preload_at":null,"end":"2026-11-28T20:23:06Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('bob','0c02432aa5cb41c29f5903ca6f93d5cf','eec4a6af44e84d23713fb3aa0ded19135c5f508823d170e48a5b43c3850b598c','cb76c02033274feda9b305ab669b114b','43d8yctjjsh','2026-11-28 19:23:10.858760',NULL,200,'{"id":"43d8yberaxy","user":"bob","image":"demo-x8u9bm","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm03","generation":3,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.218","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG7gHUTbb7YKKyV+mnYqzqm/AGd1oiMBgwbe/3Js76Er","host_key_verified":false,"remote_addresses":["203.0.113.12"],"access_open":true,"connected":false,"created":"2026-11-28T19:23:06Z","start":"2026-11-28T19:23:06Z","preload_at":null,"end":"2026-11-28T20:23:06Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('alice','66e0c9154b6c4aedb88f0c12c60913c5','a4057beb51c742bb9c34de04e56aa57a181425f85e57e92964005904a8895784','54eb631f3a274ad6aa27300ee11d716e','43d8yd3myk7','2026-11-28 19:23:11.468303',NULL,200,'{"id":"43d8wxh779d","user":"alice","image":"debian-12","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"vm01","generation":6,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":true,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIjzDXE+9HD/4Q2HKbK00oubsxd6lzpDnXmUSGiQpxv","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":false,"connected":false,"created":"2026-11-28T19:21:14Z","start":"2026-11-28T19:21:14Z","preload_at":null,"end":"2026-11-28T20:21:16Z","ended_at":"2026-11-28T19:23:11Z","dismissed_at":null,"step":2,"steps":2,"step_title":"Delete the raw copy","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('bob','e1efa14e7bfb4ffdab3d3c1cef7e2961','f0fb3ca7d89ab38afc2fb7c08ce7e95b021f9c98596a7f0e61ccb8f9906fe34d','f6fbc78cfdaf43bc9573fd0c78fdbdf6','43d8yd648fb','2026-11-28 19:23:11.799707',NULL,200,'{"id":"43d8yberaxy","user":"bob","image":"demo-x8u9bm","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"vm03","generation":3,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.218","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG7gHUTbb7YKKyV+mnYqzqm/AGd1oiMBgwbe/3Js76Er","host_key_verified":false,"remote_addresses":["203.0.113.12"],"access_open":false,"connected":false,"created":"2026-11-28T19:23:06Z","start":"2026-11-28T19:23:06Z","preload_at":null,"end":"2026-11-28T20:23:06Z","ended_at":"2026-11-28T19:23:11Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('olga','63b4226b2d824940bad1a27d04fc53d6','ba846f79b68d8f3bd4cf8b6a049d8c46ceaf5c42c075d5bd5fca2ad39d3924d3','e187d3c49a77451d9fb6e8eec7ba1483','43d8ydfvmc6','2026-11-28 19:23:12.628419',NULL,204,'');
INSERT INTO "keyed_acts" VALUES('olga','581e757d3256414f8d719c13b4823e83','a1bced967eda325a0b625ef48b87ea969ed7518cba7c65a025cebbf1db86c0aa','4c37cdcdc3e042f1b6f8df596043ed6c','43d8ydh7vja','2026-11-28 19:23:12.890715',NULL,200,'{"id":1,"role":"image-maker","to_kind":"person","to":"alice","on":"","text":"image-maker to alice over everything (grant 1)","made_at":"2026-11-28T19:21:13Z","made_by":"olga"}');
INSERT INTO "keyed_acts" VALUES('olga','71a06c9b306744ada35b677308858053','b994d13e41279cc1a77014152490cfe586ef13ad7debad55fab52182028e2d47','da063866daa94195bacab99f68aa9783','43d8ydm4cjb','2026-11-28 19:23:13.152975',NULL,200,'{"id":1,"role":"image-maker","to_kind":"person","to":"alice","on":"","text":"image-maker to alice over everything (grant 1)","made_at":"2026-11-28T19:21:13Z","made_by":"olga"}');
INSERT INTO "keyed_acts" VALUES('olga','54c64fd4c3c64ac597a1c30ab0bdc527','9e5954994b3a3c98be67c40833d5d6501a2ead6d0a766e674b62f8c7b6ea12a5','4b68aa000a7d4c51adcc78a7283eeabb','43d8yemvhfx','2026-11-28 19:23:16.070907',NULL,200,'{"transfer":"d8985d8f8ca41c1cfe0b8a829ae979de","name":"given.qcow2","repository":"main","size":191496192,"received":0,"sha256":"fa924433c7ac209504fea0746529b5d3b381d203b4cd2ca25d0884b53f7dc99a","by":"olga","until":"2026-12-05T19:23:16Z"}');
INSERT INTO "keyed_acts" VALUES('olga','e7dc060bbce54f8783c1460b96cd6878','3dc461a0f29113839bc134f20f8b08405668e9439b52af102885973d21f0f2b7','3b977d581a484262b415b874f8e27bf8','43d8yetx8sy','2026-11-28 19:23:16.692485',NULL,200,'{"image":"demo-eec4sp","revision":1,"state":"production","sha256":"d5b5afc7134696b37b09fc359f95679932b73c061bed6062b5bfb4331427195b","size":2147483648,"made_at":"2026-11-28T19:23:17Z","made_by":"olga","parent":"","reservation":"","notes":"","untried":false,"differs":0,"retired_at":null,"copies":[{"place":"the repository main","endpoint":null,"storage":"main","state":"usable","why":"","since":"2026-11-28T19:23:19Z","ours":true,"verified_at":"2026-11-28T19:23:19Z","waiting":0,"children":[]}]}');
INSERT INTO "keyed_acts" VALUES('alice','b075315ba0954788a209442f292a1b1a','c5919b534a3988c7276cb8d33a9ddde0f1fe03aacbc66e17f7413ce9243129e3','63017b198ce34ba7b4dc3461252a83cb','43d8yfybnyk','2026-11-28 19:23:20.035160',NULL,200,'{"id":"43d8yfxve93","user":"alice","image":"demo-eec4sp","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm01","generation":7,"host":"esx2","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:23:20Z","start":"2026-11-28T19:23:20Z","preload_at":null,"end":"2026-11-28T20:23:20Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','a1b8a37deb8748579304a139af7a325a','d43940bf637df9da1de772e73965c9f69801e7e237e6212147289960c0bbe4bf','40d537aad29e4d80aa33d1470c793209','43d8ym3hvv7','2026-11-28 19:23:31.703669',NULL,200,'{"endpoint":"lab-vcenter","host":"esx2","since":"2026-11-28T19:23:31Z","why":"so that bob gets the other one","by":"olga","checks":0,"last_check":null,"next_check":null}');
INSERT INTO "keyed_acts" VALUES('bob','dc3151fdfa5343429fdd7de60c38d3ee','0468b92a46f901f8dccee299a3a58e834c7732a5281b850b922a34a33cb8ec3b','34eb37c47b8e4eeba1cfcae644145012','43d8ym6gq6a','2026-11-28 19:23:32.015813',NULL,200,'{"id":"43d8ym5nd5d","user":"bob","image":"demo-eec4sp","revision":1,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm03","generation":4,"host":"esx1","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:23:32Z","start":"2026-11-28T19:23:32Z","preload_at":null,"end":"2026-11-28T20:23:34Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','0f378d2496a04228a391f5cd20d25522','b65a3fd1c9b314861f94d1f00f7a1c5368f77c919c7058f34270c161cbe891ea','91616bced696423c8918854798ea71c6','43d8yn3pre8','2026-11-28 19:23:34.602214',NULL,200,'{"endpoint":"lab-vcenter","host":"esx2","rests":false}');
INSERT INTO "keyed_acts" VALUES('olga','c5437ead0889474db714b693155e5990','9e5954994b3a3c98be67c40833d5d6501a2ead6d0a766e674b62f8c7b6ea12a5','9cb0e730dade4df585ede0c008b3a6af','43d8ynbue96','2026-11-28 19:23:35.423803',NULL,200,'{"transfer":"e996ab59128f7f3a5582586776ad0ff3","name":"given.qcow2","repository":"main","size":191496192,"received":0,"sha256":"fa924433c7ac209504fea0746529b5d3b381d203b4cd2ca25d0884b53f7dc99a","by":"olga","until":"2026-12-05T19:23:35Z"}');
INSERT INTO "keyed_acts" VALUES('olga','712759d163ea461c96419ffb4f08fdf4','8c276533c9d8cd9b8f90d40903926d56733bc20b5d94cc80d9cdc16f46a80f73','78c656588a514550ab25ea67dfa21cbe','43d8ynjed8p','2026-11-28 19:23:36.110868',NULL,200,'{"image":"demo-eec4sp","revision":2,"state":"test","sha256":"d5b5afc7134696b37b09fc359f95679932b73c061bed6062b5bfb4331427195b","size":2147483648,"made_at":"2026-11-28T19:23:36Z","made_by":"olga","parent":"","reservation":"","notes":"the new one","untried":false,"differs":0,"retired_at":null,"copies":[{"place":"the repository main","endpoint":null,"storage":"main","state":"usable","why":"","since":"2026-11-28T19:23:39Z","ours":true,"verified_at":"2026-11-28T19:23:39Z","waiting":0,"children":[]}]}');
INSERT INTO "keyed_acts" VALUES('olga','ec3ffd4aaa2d4727b19b5e0a3de0ac05','65cfc038e178a6a9e3b1f55fe87fae47c067654ebd6028c61074a009088bd345','9b70ed737fe4408dacf75e48e88e0471','43d8yppr5ev','2026-11-28 19:23:39.405809',NULL,200,'{"image":"demo-eec4sp","revision":2,"state":"production","sha256":"d5b5afc7134696b37b09fc359f95679932b73c061bed6062b5bfb4331427195b","size":2147483648,"made_at":"2026-11-28T19:23:36Z","made_by":"olga","parent":"","reservation":"","notes":"the new one","untried":false,"differs":0,"retired_at":null,"copies":[{"place":"the repository main","endpoint":null,"storage":"main","state":"usable","why":"","since":"2026-11-28T19:23:39Z","ours":true,"verified_at":"2026-11-28T19:23:39Z","waiting":0,"children":[]}]}');
INSERT INTO "keyed_acts" VALUES('carol','f9b266a514914e4e885e318ffeee8cd6','47a13d1702c569ea09686e4a64fece5fe778704e6b2371c1937c3467adde6351','7b5cded9b71d4e3597aabd30fdd0c5bd','43d8ypr5ack','2026-11-28 19:23:39.696796',NULL,200,'{"id":"43d8yprtysq","user":"carol","image":"demo-eec4sp","revision":2,"state":"new","word":"Waiting for a computer","ending":null,"computer":"vm04","generation":1,"host":"esx2","endpoint":"lab-vcenter","address":null,"dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":null,"host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:23:39Z","start":"2026-11-28T19:23:39Z","preload_at":null,"end":"2026-11-28T20:23:41Z","ended_at":null,"dismissed_at":null,"step":0,"steps":0,"step_title":null,"reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','bb0da1d8a38a4b8480a645cd88ea6a5f','c08dca2b985f71d24d305f65fddd46b7679eb551b305106fa631b935a192b524','a4d0481c913a4ae2ac1ca795d379e8be','43d8yu73qp5','2026-11-28 19:23:52.468347',NULL,200,'{"image":"demo-eec4sp","revision":1,"state":"retired","sha256":"d5b5afc7134696b37b09fc359f95679932b73c061bed6062b5bfb4331427195b","size":2147483648,"made_at":"2026-11-28T19:23:17Z","made_by":"olga","parent":"","reservation":"","notes":"","untried":false,"differs":0,"retired_at":"2026-11-28T19:23:52Z","copies":[{"place":"ds2 of lab-vcenter","endpoint":"lab-vcenter","storage":"ds2","state":"usable","why":"","since":"2026-11-28T19:23:28Z","ours":true,"verified_at":null,"waiting":0,"children":["vm01","vm03"]},{"place":"the repository main","endpoint":null,"storage":"main","state":"usable","why":"","since":"2026-11-28T19:23:19Z","ours":true,"verified_at":"2026-11-28T19:23:19Z","waiting":0,"children":[]}]}');
INSERT INTO "keyed_acts" VALUES('alice','8c1076b68bbb453f83e3e031fa0247a5','dc9f3babff52f0be09a0205311691db49b3c379b5fa91ee3918ae87acdc18ecf','24b5bc1de6da408ebe2c4a9f887e86dd','43d8yua3mnj','2026-11-28 19:23:52.764015',NULL,200,'{"id":"43d8yfxve93","user":"alice","image":"demo-eec4sp","revision":1,"state":"reserved","word":"Ready","ending":null,"computer":"vm01","generation":7,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBq9u+z3633uVSR3/okj4qFQH+cZavo4TFQZ0v+/LtRd","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":true,"connected":false,"created":"2026-11-28T19:23:20Z","start":"2026-11-28T19:23:20Z","preload_at":null,"end":"2026-11-28T20:23:20Z","ended_at":null,"dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null}');
INSERT INTO "keyed_acts" VALUES('olga','bf0b43dc06df4938af2c205df76219c9','ec89952aaade4ec428abd67b2d970e69806d81c97de1a5b2c82b6ebe744e24ec','abd5e9a5db5e47cdaf4d547be0938043','43d8yupgqc6','2026-11-28 19:23:53.936836',NULL,200,'{"file":"demo-eec4sp-2.raw","transfer":"4ce62018452655a90aef7ca29af8f429","format":"raw","bytes":190242816,"sha256":"d5b5afc7134696b37b09fc359f95679932b73c061bed6062b5bfb4331427195b"}');
INSERT INTO "keyed_acts" VALUES('olga','af6cc581975c406a92d3aea0c3196894','ef4b12cde20b9da55e38c86e2cbdb4fd34f27c81f4c76ca3b08c327ccc369ac2','3519b3b7a1854820bccd04dc2c81fcad','43d93f6cmfq','2026-11-28 19:24:41.673029',NULL,204,'');
INSERT INTO "keyed_acts" VALUES('alice','c1f91f8b562f43be89e903ee76fe2bd9','4c81207acf2b425411362534da1297e6059175485f8d553922e64322091fc8b4','7487716450f047d78406db9cbc33d31e','43d93jbepwj','2026-11-28 19:24:50.881990',NULL,200,'{"id":"43d8yfxve93","user":"alice","image":"demo-eec4sp","revision":1,"state":"reclaim","word":"Ended","ending":"released","computer":"vm01","generation":7,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.216","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBq9u+z3633uVSR3/okj4qFQH+cZavo4TFQZ0v+/LtRd","host_key_verified":false,"remote_addresses":["203.0.113.11"],"access_open":false,"connected":false,"created":"2026-11-28T19:23:20Z","start":"2026-11-28T19:23:20Z","preload_at":null,"end":"2026-11-28T20:23:20Z","ended_at":"2026-11-28T19:24:50Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('bob','5a30903482cc4820adeda5920a4643fa','a60c6cb0ee39fcc04a0f2e4c87e7495afaab33669e0a79603d731adb5149e0b6','6840c012c85a4b548107636340372206','43d93jf3b46','2026-11-28 19:24:51.218396',NULL,200,'{"id":"43d8ym5nd5d","user":"bob","image":"demo-eec4sp","revision":1,"state":"reclaim","word":"Ended","ending":"deleted","computer":"vm03","generation":4,"host":"esx1","endpoint":"lab-vcenter","address":"203.0.113.218","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBunKhlzAKQ8ysVpCeLH8oHrfolS+lWsR9IiyLqAco0W","host_key_verified":false,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:23:32Z","start":"2026-11-28T19:23:32Z","preload_at":null,"end":"2026-11-28T20:23:34Z","ended_at":"2026-11-28T19:24:51Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
INSERT INTO "keyed_acts" VALUES('carol','aaac90baa15e48c2bfe3f2bfe5c7bb35','a9caf0fbb3d24b11a0a222791319e11d6817196acacd1217562733b3c90a522c','1dbdd4939c4e478ebbbd4234a1bfd272','43d93jk93fe','2026-11-28 19:24:51.622302',NULL,200,'{"id":"43d8yprtysq","user":"carol","image":"demo-eec4sp","revision":2,"state":"reclaim","word":"Ended","ending":"deleted","computer":"vm04","generation":1,"host":"esx2","endpoint":"lab-vcenter","address":"203.0.113.219","dedicated":false,"has_guest":true,"handover":null,"imaging":false,"capture_at_end":false,"becomes":null,"host_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3ispRaEAaoDmsOsHoKG1yMv/iolKaH5yuR8HxrGTGO","host_key_verified":true,"remote_addresses":[],"access_open":false,"connected":false,"created":"2026-11-28T19:23:39Z","start":"2026-11-28T19:23:39Z","preload_at":null,"end":"2026-11-28T20:23:41Z","ended_at":"2026-11-28T19:24:51Z","dismissed_at":null,"step":7,"steps":7,"step_title":"Read its public address","reason":null,"needs_help":null,"already":false}');
CREATE TABLE load_failures (
	id INTEGER NOT NULL, 
	reservation VARCHAR NOT NULL, 
	computer VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	endpoint VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	step VARCHAR NOT NULL, 
	cause VARCHAR NOT NULL, 
	in_guest BOOLEAN NOT NULL, 
	at DATETIME NOT NULL, 
	against_host BOOLEAN NOT NULL, 
	against_revision BOOLEAN NOT NULL, 
	CONSTRAINT pk_load_failures PRIMARY KEY (id), 
	CONSTRAINT uq_load_failures_reservation UNIQUE (reservation, computer, generation, step, at)
);
INSERT INTO "load_failures" VALUES(1,'43d8w8j7ntp','vm01',4,'lab-vcenter','esx2','debian-12',1,'vsphere.power_on','host esx2 refuses to power on vm01-43d8w8j7ntp-g4: InsufficientResourcesFault',0,'2026-11-28 19:20:10.732405',0,0);
INSERT INTO "load_failures" VALUES(2,'43d8w8j7ntp','vm01',5,'lab-vcenter','esx1','debian-12',1,'vsphere.power_on','host esx1 refuses to power on vm01-43d8w8j7ntp-g5: InsufficientResourcesFault',0,'2026-11-28 19:20:11.296126',0,0);
CREATE TABLE load_log (
	id INTEGER NOT NULL, 
	reservation VARCHAR NOT NULL, 
	computer VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	name VARCHAR NOT NULL, 
	title VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	count INTEGER NOT NULL, 
	part VARCHAR NOT NULL, 
	run INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	started_at DATETIME NOT NULL, 
	ended_at DATETIME, 
	outcome VARCHAR NOT NULL, 
	detail VARCHAR NOT NULL, 
	CONSTRAINT pk_load_log PRIMARY KEY (id), 
	CONSTRAINT uq_load_log_reservation UNIQUE (reservation, computer, generation, part, name, run, attempt)
);
INSERT INTO "load_log" VALUES(1,'43d8vm83c3k','vm01',1,'debian-12',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:19:21.298663','2026-11-28 19:19:21.333518','done','');
INSERT INTO "load_log" VALUES(2,'43d8vm83c3k','vm01',1,'debian-12',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:19:21.365877','2026-11-28 19:19:21.465648','done','');
INSERT INTO "load_log" VALUES(3,'43d8vm83c3k','vm01',1,'debian-12',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:19:21.485457','2026-11-28 19:19:21.508027','done','');
INSERT INTO "load_log" VALUES(4,'43d8vm83c3k','vm01',1,'debian-12',1,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:19:21.523654','2026-11-28 19:19:21.534356','waiting','vm01-43d8vm83c3k-g1 has no private address yet (guest tools, DHCP leases and neighbours know none for 02:76:63:00:00:01)');
INSERT INTO "load_log" VALUES(5,'43d8vm83c3k','vm01',1,'debian-12',1,'vsphere.find_address','Find its private address',4,7,'',0,2,'2026-11-28 19:19:23.545454','2026-11-28 19:19:23.556773','done','');
INSERT INTO "load_log" VALUES(6,'43d8vm83c3k','vm01',1,'debian-12',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:19:23.569453','2026-11-28 19:19:23.760061','done','');
INSERT INTO "load_log" VALUES(7,'43d8vm83c3k','vm01',1,'debian-12',1,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:19:23.776049','2026-11-28 19:19:24.657328','done','');
INSERT INTO "load_log" VALUES(8,'43d8vm83c3k','vm01',1,'debian-12',1,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:19:24.673421','2026-11-28 19:19:24.916848','done','');
INSERT INTO "load_log" VALUES(9,'43d8vscq5db','lab02',1,'lab-debian',1,'standalone.check','See whether it answers',1,5,'',0,1,'2026-11-28 19:19:35.313495','2026-11-28 19:19:35.317986','done','');
INSERT INTO "load_log" VALUES(10,'43d8vscq5db','lab02',1,'lab-debian',1,'linux.wait_ssh','Log in by SSH',2,5,'',0,1,'2026-11-28 19:19:35.332378','2026-11-28 19:19:35.484827','done','');
INSERT INTO "load_log" VALUES(11,'43d8vscq5db','lab02',1,'lab-debian',1,'linux.check_free','See that it is free and clean',3,5,'',0,1,'2026-11-28 19:19:35.503075','2026-11-28 19:19:35.730021','done','');
INSERT INTO "load_log" VALUES(12,'43d8vscq5db','lab02',1,'lab-debian',1,'linux.prepare','Set up firewall and SSH',4,5,'',0,1,'2026-11-28 19:19:35.744778','2026-11-28 19:19:36.319612','done','');
INSERT INTO "load_log" VALUES(13,'43d8vscq5db','lab02',1,'lab-debian',1,'linux.read_public_address','Read its public address',5,5,'',0,1,'2026-11-28 19:19:36.339240','2026-11-28 19:19:36.490193','done','');
INSERT INTO "load_log" VALUES(14,'43d8vw73bkx','lab01',1,'lab-debian',1,'standalone.check','See whether it answers',1,5,'',0,1,'2026-11-28 19:19:46.363628','2026-11-28 19:19:46.368034','done','');
INSERT INTO "load_log" VALUES(15,'43d8vw73bkx','lab01',1,'lab-debian',1,'linux.wait_ssh','Log in by SSH',2,5,'',0,1,'2026-11-28 19:19:46.389640','2026-11-28 19:19:46.527174','done','');
INSERT INTO "load_log" VALUES(16,'43d8vw73bkx','lab01',1,'lab-debian',1,'linux.check_free','See that it is free and clean',3,5,'',0,1,'2026-11-28 19:19:46.542389','2026-11-28 19:19:46.791402','done','');
INSERT INTO "load_log" VALUES(17,'43d8vw73bkx','lab01',1,'lab-debian',1,'linux.prepare','Set up firewall and SSH',4,5,'',0,1,'2026-11-28 19:19:46.813762','2026-11-28 19:19:47.368523','done','');
INSERT INTO "load_log" VALUES(18,'43d8vw73bkx','lab01',1,'lab-debian',1,'linux.read_public_address','Read its public address',5,5,'',0,1,'2026-11-28 19:19:47.382838','2026-11-28 19:19:47.526375','done','');
INSERT INTO "load_log" VALUES(19,'43d8vxu7hhq','vm01',2,'debian-12-large',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:19:51.181206','2026-11-28 19:19:51.220855','done','');
INSERT INTO "load_log" VALUES(20,'43d8vxu7hhq','vm01',2,'debian-12-large',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:19:51.235567','2026-11-28 19:19:51.267858','done','');
INSERT INTO "load_log" VALUES(21,'43d8vxu7hhq','vm01',2,'debian-12-large',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:19:51.280377','2026-11-28 19:19:51.295460','done','');
INSERT INTO "load_log" VALUES(22,'43d8vxu7hhq','vm01',2,'debian-12-large',1,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:19:51.311833','2026-11-28 19:19:51.322037','done','');
INSERT INTO "load_log" VALUES(23,'43d8vxu7hhq','vm01',2,'debian-12-large',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:19:51.335968','2026-11-28 19:19:52.529837','done','');
INSERT INTO "load_log" VALUES(24,'43d8vxu7hhq','vm01',2,'debian-12-large',1,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:19:52.546719','2026-11-28 19:19:53.280833','done','');
INSERT INTO "load_log" VALUES(25,'43d8vxu7hhq','vm01',2,'debian-12-large',1,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:19:53.301273','2026-11-28 19:19:53.458157','done','');
INSERT INTO "load_log" VALUES(26,'43d8w35w4t4','vm02',1,'debian-12-large',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:19:54.920072','2026-11-28 19:19:54.952672','done','');
INSERT INTO "load_log" VALUES(27,'43d8w35w4t4','vm02',1,'debian-12-large',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:19:54.968789','2026-11-28 19:19:55.000765','done','');
INSERT INTO "load_log" VALUES(28,'43d8w35w4t4','vm02',1,'debian-12-large',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:19:55.028202','2026-11-28 19:19:55.052518','done','');
INSERT INTO "load_log" VALUES(29,'43d8w35w4t4','vm02',1,'debian-12-large',1,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:19:55.074197','2026-11-28 19:19:55.085699','waiting','vm02-43d8w35w4t4-g1 has no private address yet (guest tools, DHCP leases and neighbours know none for 02:76:63:00:00:02)');
INSERT INTO "load_log" VALUES(30,'43d8w35w4t4','vm02',1,'debian-12-large',1,'vsphere.find_address','Find its private address',4,7,'',0,2,'2026-11-28 19:19:57.100766','2026-11-28 19:19:57.117510','done','');
INSERT INTO "load_log" VALUES(31,'43d8w35w4t4','vm02',1,'debian-12-large',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:19:57.137726','2026-11-28 19:19:57.258175','done','');
INSERT INTO "load_log" VALUES(32,'43d8w35w4t4','vm02',1,'debian-12-large',1,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:19:57.273846','2026-11-28 19:19:57.794435','done','');
INSERT INTO "load_log" VALUES(33,'43d8w35w4t4','vm02',1,'debian-12-large',1,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:19:57.809350','2026-11-28 19:19:57.923198','done','');
INSERT INTO "load_log" VALUES(34,'43d8w4ypkkx','vm01',3,'debian-12-large',1,'vsphere.adopt','Take over a machine that is ready',1,3,'',0,1,'2026-11-28 19:20:00.485388','2026-11-28 19:20:00.499368','done','');
INSERT INTO "load_log" VALUES(35,'43d8w4ypkkx','vm01',3,'debian-12-large',1,'linux.post_load','Set up firewall, password and host name',2,3,'',0,1,'2026-11-28 19:20:00.513385','2026-11-28 19:20:01.012576','done','');
INSERT INTO "load_log" VALUES(36,'43d8w4ypkkx','vm01',3,'debian-12-large',1,'linux.read_public_address','Read its public address',3,3,'',0,1,'2026-11-28 19:20:01.035931','2026-11-28 19:20:01.159432','done','');
INSERT INTO "load_log" VALUES(37,'43d8w69chht','vm02',2,'whole-host',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:20:03.909027','2026-11-28 19:20:04.008789','done','');
INSERT INTO "load_log" VALUES(38,'43d8w69chht','vm02',2,'whole-host',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:20:04.023386','2026-11-28 19:20:04.056468','done','');
INSERT INTO "load_log" VALUES(39,'43d8w69chht','vm02',2,'whole-host',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:20:04.069352','2026-11-28 19:20:04.087647','done','');
INSERT INTO "load_log" VALUES(40,'43d8w69chht','vm02',2,'whole-host',1,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:20:04.107791','2026-11-28 19:20:04.121583','done','');
INSERT INTO "load_log" VALUES(41,'43d8w69chht','vm02',2,'whole-host',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:20:04.136147','2026-11-28 19:20:05.257166','done','');
INSERT INTO "load_log" VALUES(42,'43d8w69chht','vm02',2,'whole-host',1,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:20:05.272078','2026-11-28 19:20:05.731764','done','');
INSERT INTO "load_log" VALUES(43,'43d8w69chht','vm02',2,'whole-host',1,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:20:05.749630','2026-11-28 19:20:05.859008','done','');
INSERT INTO "load_log" VALUES(44,'43d8w8j7ntp','vm01',4,'debian-12',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:20:10.617533','2026-11-28 19:20:10.656835','done','');
INSERT INTO "load_log" VALUES(45,'43d8w8j7ntp','vm01',4,'debian-12',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:20:10.670188','2026-11-28 19:20:10.702228','done','');
INSERT INTO "load_log" VALUES(46,'43d8w8j7ntp','vm01',4,'debian-12',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:20:10.715247','2026-11-28 19:20:10.726576','failed','host esx2 refuses to power on vm01-43d8w8j7ntp-g4: InsufficientResourcesFault');
INSERT INTO "load_log" VALUES(47,'43d8w8j7ntp','vm01',5,'debian-12',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:20:11.142567','2026-11-28 19:20:11.196881','done','');
INSERT INTO "load_log" VALUES(48,'43d8w8j7ntp','vm01',5,'debian-12',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:20:11.213842','2026-11-28 19:20:11.267661','done','');
INSERT INTO "load_log" VALUES(49,'43d8w8j7ntp','vm01',5,'debian-12',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:20:11.280406','2026-11-28 19:20:11.290880','failed','host esx1 refuses to power on vm01-43d8w8j7ntp-g5: InsufficientResourcesFault');
INSERT INTO "load_log" VALUES(50,'43d8w8j7ntp','vm01',5,'debian-12',1,'vsphere.power_on','Power it on',3,7,'',1,1,'2026-11-28 19:20:13.007139','2026-11-28 19:20:13.025508','done','');
INSERT INTO "load_log" VALUES(51,'43d8w8j7ntp','vm01',5,'debian-12',1,'vsphere.find_address','Find its private address',4,7,'',1,1,'2026-11-28 19:20:13.047885','2026-11-28 19:20:13.059841','done','');
INSERT INTO "load_log" VALUES(52,'43d8w8j7ntp','vm01',5,'debian-12',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',1,1,'2026-11-28 19:20:13.071984','2026-11-28 19:20:14.205247','done','');
INSERT INTO "load_log" VALUES(53,'43d8w8j7ntp','vm01',5,'debian-12',1,'linux.post_load','Set up firewall, password and host name',6,7,'',1,1,'2026-11-28 19:20:14.220855','2026-11-28 19:20:14.668759','done','');
INSERT INTO "load_log" VALUES(54,'43d8w8j7ntp','vm01',5,'debian-12',1,'linux.read_public_address','Read its public address',7,7,'',1,1,'2026-11-28 19:20:14.686000','2026-11-28 19:20:14.809055','done','');
INSERT INTO "load_log" VALUES(55,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.check_bmc','See whether its BMC answers',1,15,'',0,1,'2026-11-28 19:20:21.678531','2026-11-28 19:20:22.796424','done','');
INSERT INTO "load_log" VALUES(56,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.set_network','Have the imaging environment ready for it',2,15,'',0,1,'2026-11-28 19:20:22.819447','2026-11-28 19:20:22.888982','done','');
INSERT INTO "load_log" VALUES(57,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.boot_network','Start it from the network',3,15,'',0,1,'2026-11-28 19:20:22.905027','2026-11-28 19:20:25.530305','done','');
INSERT INTO "load_log" VALUES(58,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.await_imaging','Wait for the imaging environment',4,15,'',0,1,'2026-11-28 19:20:25.545020','2026-11-28 19:20:26.010492','waiting','the imaging environment on metal01 does not answer: ssh: connect to host 10.78.0.11 port 22: Connection refused; its BMC says that it is on; on the provisioning network it did not take it: does another DHCP server answer there?');
INSERT INTO "load_log" VALUES(59,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.await_imaging','Wait for the imaging environment',4,15,'',0,2,'2026-11-28 19:20:28.021051','2026-11-28 19:20:28.254201','done','');
INSERT INTO "load_log" VALUES(60,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.find_disk','Look at its hardware, and find its disk',5,15,'',0,1,'2026-11-28 19:20:28.269648','2026-11-28 19:20:29.895451','done','');
INSERT INTO "load_log" VALUES(61,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.clean','Clean all its disks',6,15,'',0,1,'2026-11-28 19:20:29.914938','2026-11-28 19:20:30.599911','done','');
INSERT INTO "load_log" VALUES(62,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.write','Write the image to its disk',7,15,'',0,1,'2026-11-28 19:20:30.619743',NULL,'','');
INSERT INTO "load_log" VALUES(63,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.write','Write the image to its disk',7,15,'',0,2,'2026-11-28 19:20:40.635027','2026-11-28 19:20:42.693070','done','');
INSERT INTO "load_log" VALUES(64,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.read_back','Read the disk back',8,15,'',0,1,'2026-11-28 19:20:42.737415','2026-11-28 19:20:43.696483','done','');
INSERT INTO "load_log" VALUES(65,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.fit','Fit partitions to the disk',9,15,'',0,1,'2026-11-28 19:20:43.722686','2026-11-28 19:20:44.107385','done','');
INSERT INTO "load_log" VALUES(66,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.set_boot_entry','Set what its firmware boots',10,15,'',0,1,'2026-11-28 19:20:44.124651','2026-11-28 19:20:44.651021','done','');
INSERT INTO "load_log" VALUES(67,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.boot_disk','Start it from its disk',11,15,'',0,1,'2026-11-28 19:20:44.668467','2026-11-28 19:20:45.816966','done','');
INSERT INTO "load_log" VALUES(68,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'bare-metal.await_system','Wait until its own system answers',12,15,'',0,1,'2026-11-28 19:20:45.844831','2026-11-28 19:20:46.893454','done','');
INSERT INTO "load_log" VALUES(69,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'linux.wait_ssh','Wait until it answers SSH',13,15,'',0,1,'2026-11-28 19:20:46.908803','2026-11-28 19:20:47.042024','done','');
INSERT INTO "load_log" VALUES(70,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'linux.post_load','Set up firewall, password and host name',14,15,'',0,1,'2026-11-28 19:20:47.061549','2026-11-28 19:20:47.577110','done','');
INSERT INTO "load_log" VALUES(71,'43d8wcbqqax','metal01',1,'debian-12-metal',1,'linux.read_public_address','Read its public address',15,15,'',0,1,'2026-11-28 19:20:47.590998','2026-11-28 19:20:47.718887','done','');
INSERT INTO "load_log" VALUES(72,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.check_bmc','See whether its BMC answers',1,15,'',0,1,'2026-11-28 19:20:51.038340','2026-11-28 19:20:51.971875','done','');
INSERT INTO "load_log" VALUES(73,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.set_network','Have the imaging environment ready for it',2,15,'',0,1,'2026-11-28 19:20:51.985028','2026-11-28 19:20:51.995319','done','');
INSERT INTO "load_log" VALUES(74,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.boot_network','Start it from the network',3,15,'',0,1,'2026-11-28 19:20:52.006807','2026-11-28 19:20:53.949730','done','');
INSERT INTO "load_log" VALUES(75,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.await_imaging','Wait for the imaging environment',4,15,'',0,1,'2026-11-28 19:20:53.964844','2026-11-28 19:20:54.455585','waiting','the imaging environment on metal01 does not answer: ssh: connect to host 10.78.0.11 port 22: Connection refused; its BMC says that it is on; on the provisioning network it did not take it: does another DHCP server answer there?');
INSERT INTO "load_log" VALUES(76,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.await_imaging','Wait for the imaging environment',4,15,'',0,2,'2026-11-28 19:20:56.468801','2026-11-28 19:20:56.699308','done','');
INSERT INTO "load_log" VALUES(77,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.find_disk','Look at its hardware, and find its disk',5,15,'',0,1,'2026-11-28 19:20:56.713030','2026-11-28 19:20:58.109400','done','');
INSERT INTO "load_log" VALUES(78,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.clean','Clean all its disks',6,15,'',0,1,'2026-11-28 19:20:58.131506','2026-11-28 19:20:58.865336','done','');
INSERT INTO "load_log" VALUES(79,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.write','Write the image to its disk',7,15,'',0,1,'2026-11-28 19:20:58.884432','2026-11-28 19:21:00.747311','done','');
INSERT INTO "load_log" VALUES(80,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.read_back','Read the disk back',8,15,'',0,1,'2026-11-28 19:21:00.763240','2026-11-28 19:21:01.778288','done','');
INSERT INTO "load_log" VALUES(81,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.fit','Fit partitions to the disk',9,15,'',0,1,'2026-11-28 19:21:01.796849','2026-11-28 19:21:02.197756','done','');
INSERT INTO "load_log" VALUES(82,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.set_boot_entry','Set what its firmware boots',10,15,'',0,1,'2026-11-28 19:21:02.213341','2026-11-28 19:21:02.748099','done','');
INSERT INTO "load_log" VALUES(83,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.boot_disk','Start it from its disk',11,15,'',0,1,'2026-11-28 19:21:02.772588','2026-11-28 19:21:05.567574','done','');
INSERT INTO "load_log" VALUES(84,'computer-metal01','metal01',2,'debian-12-metal',1,'bare-metal.await_system','Wait until its own system answers',12,15,'',0,1,'2026-11-28 19:21:05.585118','2026-11-28 19:21:06.657526','done','');
INSERT INTO "load_log" VALUES(85,'computer-metal01','metal01',2,'debian-12-metal',1,'linux.wait_ssh','Wait until it answers SSH',13,15,'',0,1,'2026-11-28 19:21:06.671426','2026-11-28 19:21:06.830171','done','');
INSERT INTO "load_log" VALUES(86,'computer-metal01','metal01',2,'debian-12-metal',1,'linux.post_load','Set up firewall, password and host name',14,15,'',0,1,'2026-11-28 19:21:06.844382','2026-11-28 19:21:07.370600','done','');
INSERT INTO "load_log" VALUES(87,'computer-metal01','metal01',2,'debian-12-metal',1,'linux.read_public_address','Read its public address',15,15,'',0,1,'2026-11-28 19:21:07.385152','2026-11-28 19:21:07.527279','done','');
INSERT INTO "load_log" VALUES(88,'43d8wvkjdk9','metal01',3,'debian-12-metal',1,'bare-metal.power_on','Power it on',1,5,'',0,1,'2026-11-28 19:21:09.038095','2026-11-28 19:21:09.176410','done','');
INSERT INTO "load_log" VALUES(89,'43d8wvkjdk9','metal01',3,'debian-12-metal',1,'bare-metal.await_system','Wait until its own system answers',2,5,'',0,1,'2026-11-28 19:21:09.192316','2026-11-28 19:21:09.221578','done','');
INSERT INTO "load_log" VALUES(90,'43d8wvkjdk9','metal01',3,'debian-12-metal',1,'linux.wait_ssh','Wait until it answers SSH',3,5,'',0,1,'2026-11-28 19:21:09.237433','2026-11-28 19:21:09.349240','done','');
INSERT INTO "load_log" VALUES(91,'43d8wvkjdk9','metal01',3,'debian-12-metal',1,'linux.post_load','Set up firewall, password and host name',4,5,'',0,1,'2026-11-28 19:21:09.365814','2026-11-28 19:21:09.826278','done','');
INSERT INTO "load_log" VALUES(92,'43d8wvkjdk9','metal01',3,'debian-12-metal',1,'linux.read_public_address','Read its public address',5,5,'',0,1,'2026-11-28 19:21:09.840966','2026-11-28 19:21:09.957658','done','');
INSERT INTO "load_log" VALUES(93,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.check_bmc','See whether its BMC answers',1,15,'',0,1,'2026-11-28 19:21:13.433265','2026-11-28 19:21:13.598188','done','');
INSERT INTO "load_log" VALUES(94,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.set_network','Have the imaging environment ready for it',2,15,'',0,1,'2026-11-28 19:21:13.613958','2026-11-28 19:21:13.626509','done','');
INSERT INTO "load_log" VALUES(95,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.boot_network','Start it from the network',3,15,'',0,1,'2026-11-28 19:21:13.637843','2026-11-28 19:21:15.020160','done','');
INSERT INTO "load_log" VALUES(96,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:21:14.337377','2026-11-28 19:21:14.372809','done','');
INSERT INTO "load_log" VALUES(97,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:21:14.387037','2026-11-28 19:21:14.419545','done','');
INSERT INTO "load_log" VALUES(98,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:21:14.434249','2026-11-28 19:21:14.446914','done','');
INSERT INTO "load_log" VALUES(99,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:21:14.469830','2026-11-28 19:21:14.490476','done','');
INSERT INTO "load_log" VALUES(100,'43d8wxh779d','vm01',6,'debian-12',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:21:14.513134','2026-11-28 19:21:15.677938','done','');
INSERT INTO "load_log" VALUES(101,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.await_imaging','Wait for the imaging environment',4,15,'',0,1,'2026-11-28 19:21:15.036052','2026-11-28 19:21:16.124844','waiting','the imaging environment on metal01 does not answer: ssh: connect to host 10.78.0.11 port 22: Connection refused; its BMC says that it is on; on the provisioning network it was sent vmlinuz');
INSERT INTO "load_log" VALUES(102,'43d8wxh779d','vm01',6,'debian-12',1,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:21:15.702953','2026-11-28 19:21:16.521864','done','');
INSERT INTO "load_log" VALUES(103,'43d8wxh779d','vm01',6,'debian-12',1,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:21:16.540171','2026-11-28 19:21:16.672273','done','');
INSERT INTO "load_log" VALUES(104,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.await_imaging','Wait for the imaging environment',4,15,'',0,2,'2026-11-28 19:21:18.153198','2026-11-28 19:21:18.415566','done','');
INSERT INTO "load_log" VALUES(105,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.find_disk','Look at its hardware, and find its disk',5,15,'',0,1,'2026-11-28 19:21:18.438066','2026-11-28 19:21:20.138159','done','');
INSERT INTO "load_log" VALUES(106,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.clean','Clean all its disks',6,15,'',0,1,'2026-11-28 19:21:20.160491','2026-11-28 19:21:21.063187','done','');
INSERT INTO "load_log" VALUES(107,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.write','Write the image to its disk',7,15,'',0,1,'2026-11-28 19:21:21.089706','2026-11-28 19:21:23.312130','done','');
INSERT INTO "load_log" VALUES(108,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.read_back','Read the disk back',8,15,'',0,1,'2026-11-28 19:21:23.329121','2026-11-28 19:21:24.383917','done','');
INSERT INTO "load_log" VALUES(109,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.fit','Fit partitions to the disk',9,15,'',0,1,'2026-11-28 19:21:24.401583','2026-11-28 19:21:24.933218','done','');
INSERT INTO "load_log" VALUES(110,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.set_boot_entry','Set what its firmware boots',10,15,'',0,1,'2026-11-28 19:21:24.948549','2026-11-28 19:21:25.512400','done','');
INSERT INTO "load_log" VALUES(111,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.boot_disk','Start it from its disk',11,15,'',0,1,'2026-11-28 19:21:25.534743','2026-11-28 19:21:27.027301','done','');
INSERT INTO "load_log" VALUES(112,'computer-metal01','metal01',4,'debian-12-metal',1,'bare-metal.await_system','Wait until its own system answers',12,15,'',0,1,'2026-11-28 19:21:27.041550','2026-11-28 19:21:28.089665','done','');
INSERT INTO "load_log" VALUES(113,'computer-metal01','metal01',4,'debian-12-metal',1,'linux.wait_ssh','Wait until it answers SSH',13,15,'',0,1,'2026-11-28 19:21:28.114846','2026-11-28 19:21:28.269462','done','');
INSERT INTO "load_log" VALUES(114,'computer-metal01','metal01',4,'debian-12-metal',1,'linux.post_load','Set up firewall, password and host name',14,15,'',0,1,'2026-11-28 19:21:28.285093','2026-11-28 19:21:28.816147','done','');
INSERT INTO "load_log" VALUES(115,'computer-metal01','metal01',4,'debian-12-metal',1,'linux.read_public_address','Read its public address',15,15,'',0,1,'2026-11-28 19:21:28.843542','2026-11-28 19:21:28.974017','done','');
INSERT INTO "load_log" VALUES(116,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.check_machine','See whether it can be captured',1,8,'43d8x8n5vxa/take',0,1,'2026-11-28 19:21:34.767877','2026-11-28 19:21:34.831619','done','');
INSERT INTO "load_log" VALUES(117,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.find_address','Find its private address',2,8,'43d8x8n5vxa/take',0,1,'2026-11-28 19:21:34.845503','2026-11-28 19:21:34.857524','done','');
INSERT INTO "load_log" VALUES(118,'43d8wxh779d','vm01',6,'debian-12',1,'linux.wait_ssh','Wait until it answers SSH',3,8,'43d8x8n5vxa/take',0,1,'2026-11-28 19:21:34.873139','2026-11-28 19:21:34.992966','done','');
INSERT INTO "load_log" VALUES(119,'43d8wxh779d','vm01',6,'debian-12',1,'linux.check_capture','See whether it can be sealed',4,8,'43d8x8n5vxa/take',0,1,'2026-11-28 19:21:35.008944','2026-11-28 19:21:35.254690','done','');
INSERT INTO "load_log" VALUES(120,'43d8wxh779d','vm01',6,'debian-12',1,'linux.shut_down','Tell whoever is there, and shut it down',5,8,'43d8x8n5vxa/take',0,1,'2026-11-28 19:21:35.269357','2026-11-28 19:21:35.501613','done','');
INSERT INTO "load_log" VALUES(121,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.await_off','Wait until it is off',6,8,'43d8x8n5vxa/take',0,1,'2026-11-28 19:21:35.521599','2026-11-28 19:21:35.534881','waiting','vm01-43d8wxh779d-g6 is still shutting down');
INSERT INTO "load_log" VALUES(122,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.await_off','Wait until it is off',6,8,'43d8x8n5vxa/take',0,2,'2026-11-28 19:21:40.546091','2026-11-28 19:21:40.553754','done','');
INSERT INTO "load_log" VALUES(123,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.copy_raw','Copy its disk',7,8,'43d8x8n5vxa/take',0,1,'2026-11-28 19:21:40.579017',NULL,'','');
INSERT INTO "load_log" VALUES(124,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.copy_raw','Copy its disk',7,8,'43d8x8n5vxa/take',0,2,'2026-11-28 19:21:47.653951','2026-11-28 19:22:01.591257','done','');
INSERT INTO "load_log" VALUES(125,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.verify_raw','Read the copy back',8,8,'43d8x8n5vxa/take',0,1,'2026-11-28 19:22:01.645325','2026-11-28 19:22:25.079177','done','');
INSERT INTO "load_log" VALUES(126,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.power_on','Power it on',1,3,'43d8x8n5vxa/hand back',0,1,'2026-11-28 19:22:25.127611','2026-11-28 19:22:25.151650','done','');
INSERT INTO "load_log" VALUES(127,'43d8wxh779d','vm01',6,'debian-12',1,'vsphere.find_address','Find its private address',2,3,'43d8x8n5vxa/hand back',0,1,'2026-11-28 19:22:25.165755','2026-11-28 19:22:25.176998','done','');
INSERT INTO "load_log" VALUES(128,'43d8wxh779d','vm01',6,'debian-12',1,'linux.wait_ssh','Wait until it answers SSH',3,3,'43d8x8n5vxa/hand back',0,1,'2026-11-28 19:22:25.189808','2026-11-28 19:22:26.320832','done','');
INSERT INTO "load_log" VALUES(129,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.remove_previous','Remove what was there before',1,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:26.514404','2026-11-28 19:22:26.531555','done','');
INSERT INTO "load_log" VALUES(130,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.begin_sealing','Remove what an earlier try has sealed',2,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:26.545867','2026-11-28 19:22:26.559349','done','');
INSERT INTO "load_log" VALUES(131,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.create_vm','Create the virtual machine',3,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:26.573108','2026-11-28 19:22:26.605420','done','');
INSERT INTO "load_log" VALUES(132,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.power_on','Power it on',4,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:26.625704','2026-11-28 19:22:26.646109','done','');
INSERT INTO "load_log" VALUES(133,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.find_address','Find its private address',5,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:26.666128','2026-11-28 19:22:26.673855','waiting','vm03-43d8wxh779d-g1 has no private address yet (guest tools, DHCP leases and neighbours know none for 02:76:63:00:00:01)');
INSERT INTO "load_log" VALUES(134,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.find_address','Find its private address',5,10,'43d8x8n5vxa/seal',0,2,'2026-11-28 19:22:28.685034','2026-11-28 19:22:28.702172','done','');
INSERT INTO "load_log" VALUES(135,'43d8wxh779d','vm03',1,'debian-12',1,'linux.wait_ssh','Wait until it answers SSH',6,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:28.715567','2026-11-28 19:22:28.821267','done','');
INSERT INTO "load_log" VALUES(136,'43d8wxh779d','vm03',1,'debian-12',1,'linux.seal','Remove what belongs to one computer or person',7,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:28.838043','2026-11-28 19:22:30.149363','done','');
INSERT INTO "load_log" VALUES(137,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.await_off','Wait until it is off',8,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:30.164619','2026-11-28 19:22:30.173551','waiting','vm03-43d8wxh779d-g1 is still shutting down');
INSERT INTO "load_log" VALUES(138,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.await_off','Wait until it is off',8,10,'43d8x8n5vxa/seal',0,2,'2026-11-28 19:22:35.185601','2026-11-28 19:22:35.192922','done','');
INSERT INTO "load_log" VALUES(139,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.copy_sealed','Make a disk of what was sealed',9,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:35.209987','2026-11-28 19:22:36.532953','done','');
INSERT INTO "load_log" VALUES(140,'43d8wxh779d','vm03',1,'debian-12',1,'vsphere.verify_sealed','Read that disk back',10,10,'43d8x8n5vxa/seal',0,1,'2026-11-28 19:22:36.548495','2026-11-28 19:23:00.224116','done','');
INSERT INTO "load_log" VALUES(141,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'vsphere.remove_previous','Remove what was there before',1,8,'43d8x8n5vxa/try',0,1,'2026-11-28 19:23:00.387669','2026-11-28 19:23:00.406874','done','');
INSERT INTO "load_log" VALUES(142,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'vsphere.create_vm','Create the virtual machine',2,8,'43d8x8n5vxa/try',0,1,'2026-11-28 19:23:00.420600','2026-11-28 19:23:00.453954','done','');
INSERT INTO "load_log" VALUES(143,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'vsphere.power_on','Power it on',3,8,'43d8x8n5vxa/try',0,1,'2026-11-28 19:23:00.470987','2026-11-28 19:23:00.485192','done','');
INSERT INTO "load_log" VALUES(144,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'vsphere.find_address','Find its private address',4,8,'43d8x8n5vxa/try',0,1,'2026-11-28 19:23:00.501329','2026-11-28 19:23:00.514124','waiting','vm03-43d8wxh779d-g2 has no private address yet (guest tools, DHCP leases and neighbours know none for 02:76:63:00:00:03)');
INSERT INTO "load_log" VALUES(145,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'vsphere.find_address','Find its private address',4,8,'43d8x8n5vxa/try',0,2,'2026-11-28 19:23:02.525575','2026-11-28 19:23:02.535933','done','');
INSERT INTO "load_log" VALUES(146,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'linux.wait_ssh','Wait until it answers SSH',5,8,'43d8x8n5vxa/try',0,1,'2026-11-28 19:23:02.548963','2026-11-28 19:23:02.653514','done','');
INSERT INTO "load_log" VALUES(147,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'linux.post_load','Set up firewall, password and host name',6,8,'43d8x8n5vxa/try',0,1,'2026-11-28 19:23:02.669136','2026-11-28 19:23:03.129017','done','');
INSERT INTO "load_log" VALUES(148,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'linux.read_public_address','Read its public address',7,8,'43d8x8n5vxa/try',0,1,'2026-11-28 19:23:03.142260','2026-11-28 19:23:03.248082','done','');
INSERT INTO "load_log" VALUES(149,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'linux.try_login','Log in as a user would',8,8,'43d8x8n5vxa/try',0,1,'2026-11-28 19:23:03.265694','2026-11-28 19:23:04.400151','done','');
INSERT INTO "load_log" VALUES(150,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'vsphere.publish_copy','Make it the copy of its revision',1,2,'43d8x8n5vxa/publish',0,1,'2026-11-28 19:23:04.536165','2026-11-28 19:23:04.602353','done','');
INSERT INTO "load_log" VALUES(151,'43d8wxh779d','vm03',2,'demo-x8u9bm',1,'vsphere.discard_raw','Delete the raw copy',2,2,'43d8x8n5vxa/publish',0,1,'2026-11-28 19:23:04.617957','2026-11-28 19:23:04.770084','done','');
INSERT INTO "load_log" VALUES(152,'43d8yberaxy','vm03',3,'demo-x8u9bm',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:23:07.049880','2026-11-28 19:23:07.104861','done','');
INSERT INTO "load_log" VALUES(153,'43d8yberaxy','vm03',3,'demo-x8u9bm',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:23:07.122739','2026-11-28 19:23:07.153623','done','');
INSERT INTO "load_log" VALUES(154,'43d8yberaxy','vm03',3,'demo-x8u9bm',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:23:07.166732','2026-11-28 19:23:07.184770','done','');
INSERT INTO "load_log" VALUES(155,'43d8yberaxy','vm03',3,'demo-x8u9bm',1,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:23:07.199160','2026-11-28 19:23:07.213924','done','');
INSERT INTO "load_log" VALUES(156,'43d8yberaxy','vm03',3,'demo-x8u9bm',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:23:07.227868','2026-11-28 19:23:08.370610','done','');
INSERT INTO "load_log" VALUES(157,'43d8yberaxy','vm03',3,'demo-x8u9bm',1,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:23:08.385285','2026-11-28 19:23:08.842744','done','');
INSERT INTO "load_log" VALUES(158,'43d8yberaxy','vm03',3,'demo-x8u9bm',1,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:23:08.857404','2026-11-28 19:23:08.975154','done','');
INSERT INTO "load_log" VALUES(159,'43d8yfxve93','vm01',7,'demo-eec4sp',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:23:28.813641','2026-11-28 19:23:28.861559','done','');
INSERT INTO "load_log" VALUES(160,'43d8yfxve93','vm01',7,'demo-eec4sp',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:23:28.874787','2026-11-28 19:23:28.904822','done','');
INSERT INTO "load_log" VALUES(161,'43d8yfxve93','vm01',7,'demo-eec4sp',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:23:28.918155','2026-11-28 19:23:28.931453','done','');
INSERT INTO "load_log" VALUES(162,'43d8yfxve93','vm01',7,'demo-eec4sp',1,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:23:28.945019','2026-11-28 19:23:28.956175','done','');
INSERT INTO "load_log" VALUES(163,'43d8yfxve93','vm01',7,'demo-eec4sp',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:23:28.972545','2026-11-28 19:23:30.100624','done','');
INSERT INTO "load_log" VALUES(164,'43d8yfxve93','vm01',7,'demo-eec4sp',1,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:23:30.116203','2026-11-28 19:23:30.576279','done','');
INSERT INTO "load_log" VALUES(165,'43d8yfxve93','vm01',7,'demo-eec4sp',1,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:23:30.591286','2026-11-28 19:23:30.708232','done','');
INSERT INTO "load_log" VALUES(166,'43d8ym5nd5d','vm03',4,'demo-eec4sp',1,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:23:32.292336','2026-11-28 19:23:32.344828','done','');
INSERT INTO "load_log" VALUES(167,'43d8ym5nd5d','vm03',4,'demo-eec4sp',1,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:23:32.359070','2026-11-28 19:23:32.388860','done','');
INSERT INTO "load_log" VALUES(168,'43d8ym5nd5d','vm03',4,'demo-eec4sp',1,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:23:32.401587','2026-11-28 19:23:32.416139','done','');
INSERT INTO "load_log" VALUES(169,'43d8ym5nd5d','vm03',4,'demo-eec4sp',1,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:23:32.435377','2026-11-28 19:23:32.448544','done','');
INSERT INTO "load_log" VALUES(170,'43d8ym5nd5d','vm03',4,'demo-eec4sp',1,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:23:32.461106','2026-11-28 19:23:33.589088','done','');
INSERT INTO "load_log" VALUES(171,'43d8ym5nd5d','vm03',4,'demo-eec4sp',1,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:23:33.603312','2026-11-28 19:23:34.023632','done','');
INSERT INTO "load_log" VALUES(172,'43d8ym5nd5d','vm03',4,'demo-eec4sp',1,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:23:34.039470','2026-11-28 19:23:34.165308','done','');
INSERT INTO "load_log" VALUES(173,'43d8yprtysq','vm04',1,'demo-eec4sp',2,'vsphere.remove_previous','Remove what was there before',1,7,'',0,1,'2026-11-28 19:23:48.613953','2026-11-28 19:23:48.638578','done','');
INSERT INTO "load_log" VALUES(174,'43d8yprtysq','vm04',1,'demo-eec4sp',2,'vsphere.create_vm','Create the virtual machine',2,7,'',0,1,'2026-11-28 19:23:48.655489','2026-11-28 19:23:48.700844','done','');
INSERT INTO "load_log" VALUES(175,'43d8yprtysq','vm04',1,'demo-eec4sp',2,'vsphere.power_on','Power it on',3,7,'',0,1,'2026-11-28 19:23:48.714498','2026-11-28 19:23:48.734492','done','');
INSERT INTO "load_log" VALUES(176,'43d8yprtysq','vm04',1,'demo-eec4sp',2,'vsphere.find_address','Find its private address',4,7,'',0,1,'2026-11-28 19:23:48.749662','2026-11-28 19:23:48.763385','waiting','vm04-43d8yprtysq-g1 has no private address yet (guest tools, DHCP leases and neighbours know none for 02:76:63:00:00:04)');
INSERT INTO "load_log" VALUES(177,'43d8yprtysq','vm04',1,'demo-eec4sp',2,'vsphere.find_address','Find its private address',4,7,'',0,2,'2026-11-28 19:23:50.773180','2026-11-28 19:23:50.785245','done','');
INSERT INTO "load_log" VALUES(178,'43d8yprtysq','vm04',1,'demo-eec4sp',2,'linux.wait_ssh','Wait until it answers SSH',5,7,'',0,1,'2026-11-28 19:23:50.798986','2026-11-28 19:23:50.905220','done','');
INSERT INTO "load_log" VALUES(179,'43d8yprtysq','vm04',1,'demo-eec4sp',2,'linux.post_load','Set up firewall, password and host name',6,7,'',0,1,'2026-11-28 19:23:50.920067','2026-11-28 19:23:51.388617','done','');
INSERT INTO "load_log" VALUES(180,'43d8yprtysq','vm04',1,'demo-eec4sp',2,'linux.read_public_address','Read its public address',7,7,'',0,1,'2026-11-28 19:23:51.402789','2026-11-28 19:23:51.524413','done','');
CREATE TABLE local_passwords (
	user VARCHAR NOT NULL, 
	hash VARCHAR NOT NULL, 
	changed_at DATETIME NOT NULL, 
	CONSTRAINT pk_local_passwords PRIMARY KEY (user), 
	CONSTRAINT fk_local_passwords_user_users FOREIGN KEY(user) REFERENCES users (login)
);
CREATE TABLE orphans (
	endpoint VARCHAR NOT NULL, 
	instance_uuid VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	first_seen DATETIME NOT NULL, 
	last_seen DATETIME NOT NULL, 
	seconds DOUBLE NOT NULL, 
	CONSTRAINT pk_orphans PRIMARY KEY (endpoint, instance_uuid)
);
CREATE TABLE pending_sign_ins (
	digest VARCHAR NOT NULL, 
	browser VARCHAR NOT NULL, 
	provider VARCHAR NOT NULL, 
	nonce VARCHAR NOT NULL, 
	verifier VARCHAR NOT NULL, 
	"then" VARCHAR NOT NULL, 
	expires_at DATETIME NOT NULL, 
	CONSTRAINT pk_pending_sign_ins PRIMARY KEY (digest)
);
CREATE TABLE pools (
	name VARCHAR NOT NULL, 
	endpoint VARCHAR NOT NULL, 
	kind VARCHAR(20) NOT NULL, 
	resource VARCHAR NOT NULL, 
	cpus INTEGER NOT NULL, 
	memory_mb INTEGER NOT NULL, 
	disk_gb INTEGER NOT NULL, 
	seen_at DATETIME NOT NULL, 
	usable BOOLEAN NOT NULL, 
	why_not VARCHAR NOT NULL, 
	linked BOOLEAN NOT NULL, 
	CONSTRAINT pk_pools PRIMARY KEY (name)
);
INSERT INTO "pools" VALUES('lab-vcenter/datastore/ds1','lab-vcenter','datastore','ds1',0,0,424,'2026-11-28 19:23:39.758981',1,'',1);
INSERT INTO "pools" VALUES('lab-vcenter/datastore/ds2','lab-vcenter','datastore','ds2',0,0,424,'2026-11-28 19:23:39.758981',1,'',1);
INSERT INTO "pools" VALUES('lab-vcenter/host/esx1','lab-vcenter','host','esx1',32,15360,0,'2026-11-28 19:23:39.758981',1,'',1);
INSERT INTO "pools" VALUES('lab-vcenter/host/esx2','lab-vcenter','host','esx2',32,15360,0,'2026-11-28 19:23:39.758981',1,'',1);
CREATE TABLE provider_accounts (
	provider VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	user VARCHAR NOT NULL, 
	called VARCHAR NOT NULL, 
	groups JSON NOT NULL, 
	refresh_ref VARCHAR NOT NULL, 
	created_at DATETIME NOT NULL, 
	confirmed_at DATETIME NOT NULL, 
	check_at DATETIME NOT NULL, 
	gone_at DATETIME, 
	CONSTRAINT pk_provider_accounts PRIMARY KEY (provider, subject), 
	CONSTRAINT fk_provider_accounts_user_users FOREIGN KEY(user) REFERENCES users (login)
);
CREATE TABLE refused_requests (
	id VARCHAR NOT NULL, 
	user VARCHAR NOT NULL, 
	image VARCHAR NOT NULL, 
	seconds DOUBLE NOT NULL, 
	start DATETIME, 
	at DATETIME NOT NULL, 
	reason VARCHAR NOT NULL, 
	candidates JSON NOT NULL, 
	earliest DATETIME, 
	CONSTRAINT pk_refused_requests PRIMARY KEY (id)
);
INSERT INTO "refused_requests" VALUES('43d8vtb7jjs','olga','lab-debian',3600.0,NULL,'2026-11-28 19:19:38.013887','no lab machine is free at that time','[{"name": "lab-machines/lab01", "lacks": ["somebody is logged in at it: root on console, root on the console"]}, {"name": "lab-machines/lab02", "lacks": ["is held by 43d8vscq5db, probably until 2026-11-28 20:24 UTC"]}]','2026-11-28 20:24:35.253644');
CREATE TABLE removals (
	id INTEGER NOT NULL, 
	what VARCHAR(20) NOT NULL, 
	at DATETIME NOT NULL, 
	"before" DATETIME, 
	"by" VARCHAR NOT NULL, 
	rows INTEGER NOT NULL, 
	pseudonym VARCHAR NOT NULL, 
	ended_at DATETIME, 
	CONSTRAINT pk_removals PRIMARY KEY (id)
);
CREATE TABLE repositories (
	name VARCHAR NOT NULL, 
	site VARCHAR NOT NULL, 
	folder VARCHAR NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_repositories PRIMARY KEY (name)
);
INSERT INTO "repositories" VALUES('main','default','/tmp/d/repository','2026-11-28 19:19:14.736964');
CREATE TABLE reservations (
	id VARCHAR NOT NULL, 
	user VARCHAR NOT NULL, 
	requested_by VARCHAR NOT NULL, 
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	ending VARCHAR(20), 
	reason VARCHAR NOT NULL, 
	created DATETIME NOT NULL, 
	starts DATETIME NOT NULL, 
	preload_at DATETIME, 
	ends DATETIME NOT NULL, 
	load_seconds DOUBLE NOT NULL, 
	first_notice DOUBLE NOT NULL, 
	ready_at DATETIME, 
	acknowledged_at DATETIME, 
	connected_at DATETIME, 
	ended_at DATETIME, 
	finished_at DATETIME, 
	computer VARCHAR, 
	generation INTEGER NOT NULL, 
	endpoint VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	target JSON NOT NULL, 
	password_ref VARCHAR NOT NULL, 
	private_address VARCHAR NOT NULL, 
	public_address VARCHAR NOT NULL, 
	host_key VARCHAR NOT NULL, 
	host_key_from VARCHAR NOT NULL, 
	boot_id VARCHAR NOT NULL, 
	handover VARCHAR NOT NULL, 
	remote_addresses JSON NOT NULL, 
	access_open BOOLEAN NOT NULL, 
	connected BOOLEAN NOT NULL, 
	help_since DATETIME, 
	help_until DATETIME, 
	no_other_place VARCHAR NOT NULL, 
	dismissed_at DATETIME, 
	imaging BOOLEAN NOT NULL, 
	capture_at_end BOOLEAN NOT NULL, 
	becomes VARCHAR NOT NULL, 
	saving BOOLEAN NOT NULL, 
	CONSTRAINT pk_reservations PRIMARY KEY (id), 
	CONSTRAINT fk_reservations_user_users FOREIGN KEY(user) REFERENCES users (login), 
	CONSTRAINT fk_reservations_image_images FOREIGN KEY(image) REFERENCES images (name), 
	CONSTRAINT fk_reservations_computer_computers FOREIGN KEY(computer) REFERENCES computers (name), 
	CONSTRAINT ck_reservations_ck_reservations_times CHECK (starts < ends)
);
INSERT INTO "reservations" VALUES('43d8vm83c3k','alice','alice','debian-12',1,'complete','released','','2026-11-28 19:19:20.953101','2026-11-28 19:19:20.953101',NULL,'2026-11-28 20:49:20.953101',0.0,600.0,'2026-11-28 19:19:24.923001','2026-11-28 19:19:25.850284',NULL,'2026-11-28 19:19:32.277336','2026-11-28 19:19:32.788276','vm01',1,'lab-vcenter','esx1','{"reservation": "43d8vm83c3k", "computer": "vm01", "generation": 1, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx1", "storage": "ds1", "image": "debian-12", "revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 8, "private_mac": "02:76:63:00:00:01", "public_mac": "02:76:63:01:00:01", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 8, "copy": "", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"vclab-images/debian-12/1/disk.vmdk\",\"datastore\":\"ds1\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm01/1/login','10.77.1.201','203.0.113.216','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAID2Q0aHGs5NVwIkiRNxoGqzWSvh7Hy1dcOgF/XEfB4zx','endpoint','fc7d985a-9db3-4873-a7b5-95c1e25af674','','["203.0.113.11"]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8vscq5db','alice','alice','lab-debian',1,'complete','released','','2026-11-28 19:19:35.253644','2026-11-28 19:19:35.253644',NULL,'2026-11-28 20:19:35.253644',0.0,600.0,'2026-11-28 19:19:36.496871','2026-11-28 19:19:39.002356',NULL,'2026-11-28 19:19:43.394440','2026-11-28 19:19:44.881940','lab02',1,'lab-machines','lab02','{"reservation": "43d8vscq5db", "computer": "lab02", "generation": 1, "installation": "vclab-f1d1d488", "module": "standalone", "guest": "linux", "endpoint": "lab-machines", "host": "lab02", "storage": "", "image": "lab-debian", "revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 8, "private_mac": "02:76:62:00:00:02", "public_mac": "02:76:62:01:00:02", "site": "default", "member": 0, "spare": "", "traits": {"lent": true, "reloadable": false, "identity": false, "guest": true, "copies": false, "streams": false, "seals": false, "operations": []}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 8, "copy": "", "awaits_copy": false, "kept": false, "image_data": "", "endpoint_data": ""}','tenure/lab02/1/login','10.77.0.12','203.0.113.22','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOzS5OxHdeXYixA+M0p+NaJIQ6bXjTWH5Zhrki1CNNMQ','','d2f32b17-e566-4b34-8722-e5eeb8829f60','','["203.0.113.11"]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8vw73bkx','alice','alice','lab-debian',1,'complete','deleted','','2026-11-28 19:19:46.295781','2026-11-28 19:19:46.295781',NULL,'2026-11-28 20:19:47.406781',1.11099999999999976552e+00,600.0,'2026-11-28 19:19:47.531344',NULL,NULL,'2026-11-28 19:19:48.685743','2026-11-28 19:19:49.213667','lab01',1,'lab-machines','lab01','{"reservation": "43d8vw73bkx", "computer": "lab01", "generation": 1, "installation": "vclab-f1d1d488", "module": "standalone", "guest": "linux", "endpoint": "lab-machines", "host": "lab01", "storage": "", "image": "lab-debian", "revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 8, "private_mac": "02:76:62:00:00:01", "public_mac": "02:76:62:01:00:01", "site": "default", "member": 0, "spare": "", "traits": {"lent": true, "reloadable": false, "identity": false, "guest": true, "copies": false, "streams": false, "seals": false, "operations": []}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 8, "copy": "", "awaits_copy": false, "kept": false, "image_data": "", "endpoint_data": ""}','tenure/lab01/1/login','10.77.0.11','203.0.113.21','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIINKdf/pD58bGyDqHhskaYgmbVaUDxWy9Lia+34vHH1i','','e5567d75-c3f6-45cd-885c-d40fcdfe5af3','','[]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8vxu7hhq','alice','alice','debian-12-large',1,'complete','deleted','ended by olga','2026-11-28 19:19:51.124274','2026-11-28 19:19:51.124274',NULL,'2026-11-28 20:19:51.124274',0.0,600.0,'2026-11-28 19:19:53.463363',NULL,NULL,'2026-11-28 19:19:58.274228','2026-11-28 19:19:58.838450','vm01',2,'lab-vcenter','esx1','{"reservation": "43d8vxu7hhq", "computer": "vm01", "generation": 2, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx1", "storage": "ds1", "image": "debian-12-large", "revision": 1, "cpus": 4, "memory_mb": 8192, "disk_gb": 16, "private_mac": "02:76:63:00:00:01", "public_mac": "02:76:63:01:00:01", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 16, "copy": "", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"vclab-images/debian-12-large/1/disk.vmdk\",\"datastore\":\"ds1\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm01/2/login','10.77.1.201','203.0.113.216','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINeGlXFJfTjrHdNw40HvDyy0rE3t/JPSR7Hh6EtqnR6q','','9a808e24-1af7-4022-8a47-9ac51dcda406','','[]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8w35w4t4','bob','bob','debian-12-large',1,'complete','deleted','ended by olga','2026-11-28 19:19:54.860455','2026-11-28 19:19:54.860455',NULL,'2026-11-28 20:19:57.042455',2.182,600.0,'2026-11-28 19:19:57.929225',NULL,NULL,'2026-11-28 19:19:58.606675','2026-11-28 19:19:59.199091','vm02',1,'lab-vcenter','esx2','{"reservation": "43d8w35w4t4", "computer": "vm02", "generation": 1, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx2", "storage": "ds1", "image": "debian-12-large", "revision": 1, "cpus": 4, "memory_mb": 8192, "disk_gb": 16, "private_mac": "02:76:63:00:00:02", "public_mac": "02:76:63:01:00:02", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 16, "copy": "", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"vclab-images/debian-12-large/1/disk.vmdk\",\"datastore\":\"ds1\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm02/1/login','10.77.1.202','203.0.113.217','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILaA0xwLe8iQjpLhI4/ACTncPXHokRTIDs4i53jmnyZE','endpoint','933fe84a-59f9-4d51-b42b-d2a018dae25c','','[]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8w4ypkkx','carol','carol','debian-12-large',1,'complete','released','','2026-11-28 19:20:00.318860','2026-11-28 19:20:00.318860',NULL,'2026-11-28 20:20:02.852860',2.534,600.0,'2026-11-28 19:20:01.165471','2026-11-28 19:20:01.741256',NULL,'2026-11-28 19:20:07.796875','2026-11-28 19:20:08.327057','vm01',3,'lab-vcenter','esx1','{"reservation": "43d8w4ypkkx", "computer": "vm01", "generation": 3, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx1", "storage": "ds1", "image": "debian-12-large", "revision": 1, "cpus": 4, "memory_mb": 8192, "disk_gb": 16, "private_mac": "02:76:63:00:00:01", "public_mac": "02:76:63:01:00:01", "site": "default", "member": 0, "spare": "9e468bdb-bc1f-5b03-9659-39af45abc057", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 16, "copy": "", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"vclab-images/debian-12-large/1/disk.vmdk\",\"datastore\":\"ds1\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm01/3/login','10.77.1.201','203.0.113.216','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINeGlXFJfTjrHdNw40HvDyy0rE3t/JPSR7Hh6EtqnR6q','','9a808e24-1af7-4022-8a47-9ac51dcda406','','["203.0.113.13"]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8w69chht','olga','olga','whole-host',1,'complete','deleted','','2026-11-28 19:20:03.842774','2026-11-28 19:20:03.842774',NULL,'2026-11-28 20:20:03.842774',0.0,600.0,'2026-11-28 19:20:05.866047',NULL,NULL,'2026-11-28 19:20:06.245996','2026-11-28 19:20:06.756848','vm02',2,'lab-vcenter','esx2','{"reservation": "43d8w69chht", "computer": "vm02", "generation": 2, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx2", "storage": "ds1", "image": "whole-host", "revision": 1, "cpus": 4, "memory_mb": 12288, "disk_gb": 16, "private_mac": "02:76:63:00:00:02", "public_mac": "02:76:63:01:00:02", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 16, "copy": "", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"vclab-images/debian-12-large/1/disk.vmdk\",\"datastore\":\"ds1\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm02/2/login','10.77.1.202','203.0.113.217','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdSy+TVzIe43CdniOX9f30hN8wQG07XehMiyjyWLfTI','','38331ad1-fdb7-4c1f-9455-43086eca3262','','[]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8w8j7ntp','alice','alice','debian-12',1,'complete','released','','2026-11-28 19:20:10.565380','2026-11-28 19:20:10.565380',NULL,'2026-11-28 20:20:15.725546',3.50700000000000056132e+00,600.0,'2026-11-28 19:20:14.814064','2026-11-28 19:20:16.066418',NULL,'2026-11-28 19:20:17.783714','2026-11-28 19:20:18.175095','vm01',5,'lab-vcenter','esx1','{"reservation": "43d8w8j7ntp", "computer": "vm01", "generation": 5, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx1", "storage": "ds1", "image": "debian-12", "revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 8, "private_mac": "02:76:63:00:00:01", "public_mac": "02:76:63:01:00:01", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 8, "copy": "", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"vclab-images/debian-12/1/disk.vmdk\",\"datastore\":\"ds1\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm01/5/login','10.77.1.201','203.0.113.216','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGt8Cbla/hwGWVtDBWfeAxMefw/J3/fVvnsgXjytyTQi','','d3b8e41a-e6d8-4bac-bc9d-33149be98b41','','["203.0.113.11"]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8wcbqqax','alice','alice','debian-12-metal',1,'complete','released','','2026-11-28 19:20:21.454901','2026-11-28 19:20:21.454901',NULL,'2026-11-28 20:20:21.454901',0.0,600.0,'2026-11-28 19:20:47.725340','2026-11-28 19:20:48.180881',NULL,'2026-11-28 19:20:50.066466','2026-11-28 19:20:50.682892','metal01',1,'metal','metal01','{"reservation": "43d8wcbqqax", "computer": "metal01", "generation": 1, "installation": "vclab-f1d1d488", "module": "bare-metal", "guest": "linux", "endpoint": "metal", "host": "metal01", "storage": "", "image": "debian-12-metal", "revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 2, "private_mac": "02:76:6d:00:00:01", "public_mac": "02:76:6d:01:00:01", "site": "default", "member": 0, "spare": "5571fe0a-c0fa-5251-a078-1eacb834fe5c", "traits": {"lent": true, "reloadable": true, "identity": false, "guest": true, "copies": false, "streams": true, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture", "inspect"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 2, "copy": "", "awaits_copy": false, "kept": false, "image_data": "", "endpoint_data": ""}','tenure/metal01/1/login','10.78.0.11','203.0.113.31','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBPfz2fWzEE/c+XgMjaFjuR23L0zg+EJpV+OK9YYTBo9','','ff627c5f-bb64-4793-8e6a-334d0fa5b09c','','["203.0.113.11"]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8wvkjdk9','bob','bob','debian-12-metal',1,'complete','released','','2026-11-28 19:21:08.723746','2026-11-28 19:21:08.723746',NULL,'2026-11-28 20:21:29.726746',2.10029999999999965614e+01,600.0,'2026-11-28 19:21:09.963464','2026-11-28 19:21:11.126891',NULL,'2026-11-28 19:21:12.302819','2026-11-28 19:21:12.968151','metal01',3,'metal','metal01','{"reservation": "43d8wvkjdk9", "computer": "metal01", "generation": 3, "installation": "vclab-f1d1d488", "module": "bare-metal", "guest": "linux", "endpoint": "metal", "host": "metal01", "storage": "", "image": "debian-12-metal", "revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 2, "private_mac": "02:76:6d:00:00:01", "public_mac": "02:76:6d:01:00:01", "site": "default", "member": 0, "spare": "5571fe0a-c0fa-5251-a078-1eacb834fe5c", "traits": {"lent": true, "reloadable": true, "identity": false, "guest": true, "copies": false, "streams": true, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture", "inspect"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 2, "copy": "", "awaits_copy": false, "kept": true, "image_data": "", "endpoint_data": ""}','tenure/metal01/3/login','10.78.0.11','203.0.113.31','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIDPfHB09OvVxxzd2u3RAaX7OCM8dyycvACYA1FiFu6u','','942cd292-15a5-46f4-80ac-56dac6036622','','["203.0.113.12"]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8wxh779d','alice','alice','debian-12',1,'complete','released','','2026-11-28 19:21:14.246602','2026-11-28 19:21:14.246602',NULL,'2026-11-28 20:21:16.891602',2.64499999999999957367e+00,600.0,'2026-11-28 19:21:16.678188','2026-11-28 19:21:17.721817','2026-11-28 19:21:33.702040','2026-11-28 19:23:11.477761','2026-11-28 19:23:11.772887','vm01',6,'lab-vcenter','esx2','{"reservation": "43d8wxh779d", "computer": "vm01", "generation": 6, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx2", "storage": "ds1", "image": "debian-12", "revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 8, "private_mac": "02:76:63:00:00:01", "public_mac": "02:76:63:01:00:01", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 8, "copy": "", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"vclab-images/debian-12/1/disk.vmdk\",\"datastore\":\"ds1\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm01/6/login','10.77.1.201','203.0.113.216','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIjzDXE+9HD/4Q2HKbK00oubsxd6lzpDnXmUSGiQpxv','','e448e648-079e-4e9d-b3c5-c20e073b387c','','["203.0.113.11"]',0,0,NULL,NULL,'',NULL,1,0,'',0);
INSERT INTO "reservations" VALUES('43d8yberaxy','bob','bob','demo-x8u9bm',1,'complete','released','','2026-11-28 19:23:06.991188','2026-11-28 19:23:06.991188',NULL,'2026-11-28 20:23:06.991188',0.0,600.0,'2026-11-28 19:23:08.980318','2026-11-28 19:23:09.411428',NULL,'2026-11-28 19:23:11.808132','2026-11-28 19:23:12.198788','vm03',3,'lab-vcenter','esx2','{"reservation": "43d8yberaxy", "computer": "vm03", "generation": 3, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx2", "storage": "ds1", "image": "demo-x8u9bm", "revision": 1, "cpus": 1, "memory_mb": 1024, "disk_gb": 8, "private_mac": "02:76:63:00:00:03", "public_mac": "02:76:63:01:00:03", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 8, "copy": "[ds1] vclab/images.of_vclab-f1d1d488/demo-x8u9bm.1/disk.vmdk", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"\",\"datastore\":\"\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm03/3/login','10.77.1.203','203.0.113.218','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG7gHUTbb7YKKyV+mnYqzqm/AGd1oiMBgwbe/3Js76Er','','d5961330-e551-4d15-9f30-809de9a27cc6','','["203.0.113.12"]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8yfxve93','alice','alice','demo-eec4sp',1,'complete','released','','2026-11-28 19:23:20.239959','2026-11-28 19:23:20.239959',NULL,'2026-11-28 20:23:20.239959',0.0,600.0,'2026-11-28 19:23:30.714650','2026-11-28 19:23:52.776106','2026-11-28 19:24:08.748229','2026-11-28 19:24:50.892875','2026-11-28 19:24:51.254646','vm01',7,'lab-vcenter','esx2','{"reservation": "43d8yfxve93", "computer": "vm01", "generation": 7, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx2", "storage": "ds2", "image": "demo-eec4sp", "revision": 1, "cpus": 1, "memory_mb": 512, "disk_gb": 2, "private_mac": "02:76:63:00:00:01", "public_mac": "02:76:63:01:00:01", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "bios", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 2, "copy": "[ds2] vclab/images.of_vclab-f1d1d488/demo-eec4sp.1/disk.vmdk", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"\",\"datastore\":\"\",\"guest_id\":\"otherLinux64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm01/7/login','10.77.1.201','203.0.113.216','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBq9u+z3633uVSR3/okj4qFQH+cZavo4TFQZ0v+/LtRd','','5f9224f7-5f06-4abc-b710-74c745129e5f','','["203.0.113.11"]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8ym5nd5d','bob','bob','demo-eec4sp',1,'complete','deleted','','2026-11-28 19:23:32.235379','2026-11-28 19:23:32.235379',NULL,'2026-11-28 20:23:34.042379',1.807,600.0,'2026-11-28 19:23:34.171326',NULL,NULL,'2026-11-28 19:24:51.229670','2026-11-28 19:24:51.912376','vm03',4,'lab-vcenter','esx1','{"reservation": "43d8ym5nd5d", "computer": "vm03", "generation": 4, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx1", "storage": "ds2", "image": "demo-eec4sp", "revision": 1, "cpus": 1, "memory_mb": 512, "disk_gb": 2, "private_mac": "02:76:63:00:00:03", "public_mac": "02:76:63:01:00:03", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "bios", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 2, "copy": "[ds2] vclab/images.of_vclab-f1d1d488/demo-eec4sp.1/disk.vmdk", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"\",\"datastore\":\"\",\"guest_id\":\"otherLinux64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm03/4/login','10.77.1.203','203.0.113.218','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBunKhlzAKQ8ysVpCeLH8oHrfolS+lWsR9IiyLqAco0W','','e1278e44-b1b6-42e9-9c45-9730d52e9058','','[]',0,0,NULL,NULL,'',NULL,0,0,'',0);
INSERT INTO "reservations" VALUES('43d8yprtysq','carol','carol','demo-eec4sp',2,'complete','deleted','','2026-11-28 19:23:39.916601','2026-11-28 19:23:39.916601',NULL,'2026-11-28 20:23:41.713601',1.79699999999999970867e+00,600.0,'2026-11-28 19:23:51.529891',NULL,NULL,'2026-11-28 19:24:51.631745','2026-11-28 19:24:52.084015','vm04',1,'lab-vcenter','esx2','{"reservation": "43d8yprtysq", "computer": "vm04", "generation": 1, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx2", "storage": "ds2", "image": "demo-eec4sp", "revision": 2, "cpus": 1, "memory_mb": 512, "disk_gb": 2, "private_mac": "02:76:63:00:00:04", "public_mac": "02:76:63:01:00:04", "site": "default", "member": 0, "spare": "", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "bios", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 2, "copy": "[ds2] vclab/images.of_vclab-f1d1d488/demo-eec4sp.2/disk.vmdk", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"\",\"datastore\":\"\",\"guest_id\":\"otherLinux64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','tenure/vm04/1/login','10.77.1.204','203.0.113.219','ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ3ispRaEAaoDmsOsHoKG1yMv/iolKaH5yuR8HxrGTGO','endpoint','03222197-847d-4995-a416-0a2ae6810e59','','[]',0,0,NULL,NULL,'',NULL,0,0,'',0);
CREATE TABLE revisions (
	id INTEGER NOT NULL, 
	image VARCHAR NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(20) NOT NULL, 
	module VARCHAR NOT NULL, 
	guest VARCHAR NOT NULL, 
	cpus INTEGER NOT NULL, 
	memory_mb INTEGER NOT NULL, 
	disk_gb INTEGER NOT NULL, 
	root_access BOOLEAN NOT NULL, 
	ports JSON NOT NULL, 
	endpoint VARCHAR NOT NULL, 
	module_data VARCHAR NOT NULL, 
	hardware JSON NOT NULL, 
	dedicated BOOLEAN NOT NULL, 
	child_factor DOUBLE NOT NULL, 
	sha256 VARCHAR NOT NULL, 
	size BIGINT NOT NULL, 
	made_at DATETIME, 
	made_by VARCHAR NOT NULL, 
	parent INTEGER NOT NULL, 
	parent_image VARCHAR NOT NULL, 
	reservation VARCHAR NOT NULL, 
	notes VARCHAR NOT NULL, 
	untried BOOLEAN NOT NULL, 
	differs BIGINT NOT NULL, 
	retired_at DATETIME, 
	test_until DATETIME, 
	CONSTRAINT pk_revisions PRIMARY KEY (id), 
	CONSTRAINT fk_revisions_image_images FOREIGN KEY(image) REFERENCES images (name), 
	CONSTRAINT uq_revisions_image UNIQUE (image, number)
);
INSERT INTO "revisions" VALUES(1,'debian-12',1,'production','vsphere','linux',1,1024,8,1,'[22]','','{"version":1,"master_path":"vclab-images/debian-12/1/disk.vmdk","datastore":"ds1","guest_id":"debian12_64Guest"}','{"firmware": "", "controller": "", "card": "", "guest_id": ""}',0,0.0,'',0,NULL,'',0,'','','',0,0,NULL,NULL);
INSERT INTO "revisions" VALUES(2,'debian-12-large',1,'production','vsphere','linux',4,8192,16,1,'[22]','','{"version":1,"master_path":"vclab-images/debian-12-large/1/disk.vmdk","datastore":"ds1","guest_id":"debian12_64Guest"}','{"firmware": "", "controller": "", "card": "", "guest_id": ""}',0,0.0,'',0,NULL,'',0,'','','',0,0,NULL,NULL);
INSERT INTO "revisions" VALUES(3,'lab-debian',1,'production','standalone','linux',1,1024,8,0,'[22]','','','{"firmware": "", "controller": "", "card": "", "guest_id": ""}',0,0.0,'',0,NULL,'',0,'','','',0,0,NULL,NULL);
INSERT INTO "revisions" VALUES(4,'debian-12-metal',1,'production','bare-metal','linux',1,1024,2,1,'[22]','','','{"firmware": "", "controller": "", "card": "", "guest_id": ""}',0,0.0,'4822d817586b5f27dde7c15a1fb6c4d16ede7239c8b6f0080b636a95b962c77e',2147483648,'2026-11-28 11:22:55.811694','vclab up',0,'','','',0,0,NULL,NULL);
INSERT INTO "revisions" VALUES(5,'whole-host',1,'production','vsphere','linux',4,12288,16,1,'[22]','','{"version":1,"master_path":"vclab-images/debian-12-large/1/disk.vmdk","datastore":"ds1","guest_id":"debian12_64Guest"}','{"firmware": "", "controller": "", "card": "", "guest_id": ""}',0,0.0,'',0,NULL,'',0,'','','',0,0,NULL,NULL);
INSERT INTO "revisions" VALUES(6,'demo-x8u9bm',1,'retired','vsphere','linux',1,1024,8,1,'[22]','','{"version":1,"master_path":"","datastore":"","guest_id":"debian12_64Guest"}','{"firmware": "", "controller": "", "card": "", "guest_id": ""}',0,0.0,'1bf7b84f6a95d67c0f7f30c8c88d812ce6724ad9d1692c29f44fd655e06f3e0c',8589934592,'2026-11-28 19:23:04.815943','alice',1,'debian-12','43d8wxh779d','',0,1196032,'2026-11-28 19:23:12.634878',NULL);
INSERT INTO "revisions" VALUES(7,'demo-eec4sp',1,'retired','vsphere','linux',1,512,2,1,'[22]','','{"version":1,"master_path":"","datastore":"","guest_id":"otherLinux64Guest"}','{"firmware": "bios", "controller": "", "card": "", "guest_id": ""}',0,0.0,'d5b5afc7134696b37b09fc359f95679932b73c061bed6062b5bfb4331427195b',2147483648,'2026-11-28 19:23:17.215562','olga',0,'','','',0,0,'2026-11-28 19:23:52.473069',NULL);
INSERT INTO "revisions" VALUES(8,'demo-eec4sp',2,'production','vsphere','linux',1,512,2,1,'[22]','','{"version":1,"master_path":"","datastore":"","guest_id":"otherLinux64Guest"}','{"firmware": "bios", "controller": "", "card": "", "guest_id": ""}',0,0.0,'d5b5afc7134696b37b09fc359f95679932b73c061bed6062b5bfb4331427195b',2147483648,'2026-11-28 19:23:36.592309','olga',0,'','','the new one',0,0,NULL,NULL);
CREATE TABLE sign_in_attempts (
	"key" VARCHAR NOT NULL, 
	failures INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	next_at DATETIME NOT NULL, 
	CONSTRAINT pk_sign_in_attempts PRIMARY KEY ("key")
);
CREATE TABLE spares (
	computer VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	endpoint VARCHAR NOT NULL, 
	host VARCHAR NOT NULL, 
	target JSON NOT NULL, 
	kept_at DATETIME NOT NULL, 
	until DATETIME NOT NULL, 
	removal INTEGER NOT NULL, 
	evicted_for VARCHAR NOT NULL, 
	CONSTRAINT pk_spares PRIMARY KEY (computer), 
	CONSTRAINT fk_spares_computer_computers FOREIGN KEY(computer) REFERENCES computers (name)
);
INSERT INTO "spares" VALUES('vm02',2,'whole-host',1,'lab-vcenter','esx2','{"reservation": "43d8w69chht", "computer": "vm02", "generation": 2, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx2", "storage": "ds1", "image": "whole-host", "revision": 1, "cpus": 4, "memory_mb": 12288, "disk_gb": 16, "private_mac": "02:76:63:00:00:02", "public_mac": "02:76:63:01:00:02", "site": "default", "member": 0, "spare": "a20575a1-ed4a-5fa5-8425-f5ff23b52be9", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 16, "copy": "", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"vclab-images/debian-12-large/1/disk.vmdk\",\"datastore\":\"ds1\",\"guest_id\":\"debian12_64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','2026-11-28 19:20:06.756848','2026-11-28 19:50:06.756848',0,'');
INSERT INTO "spares" VALUES('vm04',1,'demo-eec4sp',2,'lab-vcenter','esx2','{"reservation": "43d8yprtysq", "computer": "vm04", "generation": 1, "installation": "vclab-f1d1d488", "module": "vsphere", "guest": "linux", "endpoint": "lab-vcenter", "host": "esx2", "storage": "ds2", "image": "demo-eec4sp", "revision": 2, "cpus": 1, "memory_mb": 512, "disk_gb": 2, "private_mac": "02:76:63:00:00:04", "public_mac": "02:76:63:01:00:04", "site": "default", "member": 0, "spare": "9641ffe6-4817-57aa-870e-a4930c3827a7", "traits": {"lent": false, "reloadable": false, "identity": true, "guest": true, "copies": true, "streams": false, "seals": true, "operations": ["power_status", "power_on", "power_off", "power_reset", "capture"]}, "hardware": {"firmware": "bios", "controller": "", "card": "", "guest_id": ""}, "dedicated": false, "isolated": false, "claimed_gb": 2, "copy": "[ds2] vclab/images.of_vclab-f1d1d488/demo-eec4sp.2/disk.vmdk", "awaits_copy": false, "kept": false, "image_data": "{\"version\":1,\"master_path\":\"\",\"datastore\":\"\",\"guest_id\":\"otherLinux64Guest\"}", "endpoint_data": "{\"version\":1,\"folder\":\"vclab\",\"private_network\":\"private\",\"public_network\":\"public\",\"imaging_network\":\"imaging\",\"datacenter\":\"\",\"resource_pool\":\"\",\"free_floor\":15,\"host_policy\":\"best-fit\",\"datastore_policy\":\"spread\"}"}','2026-11-28 19:24:52.084015','2026-11-28 19:54:52.084015',0,'');
CREATE TABLE tenures (
	id INTEGER NOT NULL, 
	computer VARCHAR NOT NULL, 
	generation INTEGER NOT NULL, 
	holder VARCHAR NOT NULL, 
	purpose VARCHAR(20) NOT NULL, 
	image VARCHAR NOT NULL, 
	revision INTEGER NOT NULL, 
	taken_at DATETIME NOT NULL, 
	expected_end DATETIME NOT NULL, 
	released_at DATETIME, 
	CONSTRAINT pk_tenures PRIMARY KEY (id), 
	CONSTRAINT fk_tenures_computer_computers FOREIGN KEY(computer) REFERENCES computers (name), 
	CONSTRAINT uq_tenures_computer UNIQUE (computer, generation)
);
INSERT INTO "tenures" VALUES(1,'vm01',1,'43d8vm83c3k','reservation','debian-12',1,'2026-11-28 19:19:20.953101','2026-11-28 20:54:20.953101','2026-11-28 19:19:32.788276');
INSERT INTO "tenures" VALUES(2,'lab02',1,'43d8vscq5db','reservation','lab-debian',1,'2026-11-28 19:19:35.253644','2026-11-28 20:24:35.253644','2026-11-28 19:19:44.881940');
INSERT INTO "tenures" VALUES(3,'lab01',1,'43d8vw73bkx','reservation','lab-debian',1,'2026-11-28 19:19:46.295781','2026-11-28 20:24:47.406781','2026-11-28 19:19:49.213667');
INSERT INTO "tenures" VALUES(4,'vm01',2,'43d8vxu7hhq','reservation','debian-12-large',1,'2026-11-28 19:19:51.124274','2026-11-28 20:24:51.124274','2026-11-28 19:19:58.838450');
INSERT INTO "tenures" VALUES(5,'vm02',1,'43d8w35w4t4','reservation','debian-12-large',1,'2026-11-28 19:19:54.860455','2026-11-28 20:24:57.042455','2026-11-28 19:19:59.199091');
INSERT INTO "tenures" VALUES(6,'vm01',3,'43d8w4ypkkx','reservation','debian-12-large',1,'2026-11-28 19:20:00.318860','2026-11-28 20:25:02.852860','2026-11-28 19:20:08.327057');
INSERT INTO "tenures" VALUES(7,'vm02',2,'43d8w69chht','reservation','whole-host',1,'2026-11-28 19:20:03.842774','2026-11-28 20:25:03.842774','2026-11-28 19:20:06.756848');
INSERT INTO "tenures" VALUES(8,'vm01',4,'43d8w8j7ntp','reservation','debian-12',1,'2026-11-28 19:20:10.565380','2026-11-28 20:25:14.072380','2026-11-28 19:20:11.085065');
INSERT INTO "tenures" VALUES(9,'vm01',5,'43d8w8j7ntp','reservation','debian-12',1,'2026-11-28 19:20:11.085065','2026-11-28 20:25:15.725546','2026-11-28 19:20:18.175095');
INSERT INTO "tenures" VALUES(10,'metal01',1,'43d8wcbqqax','reservation','debian-12-metal',1,'2026-11-28 19:20:21.454901','2026-11-28 20:25:21.454901','2026-11-28 19:20:50.682892');
INSERT INTO "tenures" VALUES(11,'metal01',2,'computer-metal01','load','debian-12-metal',1,'2026-11-28 19:20:50.710104','2026-11-28 19:21:16.456104','2026-11-28 19:21:07.536111');
INSERT INTO "tenures" VALUES(12,'metal01',3,'43d8wvkjdk9','reservation','debian-12-metal',1,'2026-11-28 19:21:08.723746','2026-11-28 20:26:29.726746','2026-11-28 19:21:12.968151');
INSERT INTO "tenures" VALUES(13,'metal01',4,'computer-metal01','load','debian-12-metal',1,'2026-11-28 19:21:13.024813','2026-11-28 19:21:34.126813','2026-11-28 19:21:28.985432');
INSERT INTO "tenures" VALUES(14,'vm01',6,'43d8wxh779d','reservation','debian-12',1,'2026-11-28 19:21:14.246602','2026-11-28 20:26:16.891602','2026-11-28 19:23:11.772887');
INSERT INTO "tenures" VALUES(15,'vm03',1,'capture-43d8x8n5vxa','capture','debian-12',1,'2026-11-28 19:22:26.457402','2026-12-05 19:22:26.457402','2026-11-28 19:23:00.302362');
INSERT INTO "tenures" VALUES(16,'vm03',2,'capture-43d8x8n5vxa','capture','demo-x8u9bm',1,'2026-11-28 19:23:00.353121','2026-12-05 19:23:00.353121','2026-11-28 19:23:04.804656');
INSERT INTO "tenures" VALUES(17,'vm03',3,'43d8yberaxy','reservation','demo-x8u9bm',1,'2026-11-28 19:23:06.991188','2026-11-28 20:28:06.991188','2026-11-28 19:23:12.198788');
INSERT INTO "tenures" VALUES(18,'vm01',7,'43d8yfxve93','reservation','demo-eec4sp',1,'2026-11-28 19:23:20.239959','2026-11-28 20:28:20.239959','2026-11-28 19:24:51.254646');
INSERT INTO "tenures" VALUES(19,'vm03',4,'43d8ym5nd5d','reservation','demo-eec4sp',1,'2026-11-28 19:23:32.235379','2026-11-28 20:28:34.042379','2026-11-28 19:24:51.912376');
INSERT INTO "tenures" VALUES(20,'vm04',1,'43d8yprtysq','reservation','demo-eec4sp',2,'2026-11-28 19:23:39.916601','2026-11-28 20:28:41.713601','2026-11-28 19:24:52.084015');
CREATE TABLE tokens (
	id VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	user VARCHAR, 
	provider VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	mfa BOOLEAN NOT NULL, 
	name VARCHAR NOT NULL, 
	scopes JSON NOT NULL, 
	created_at DATETIME NOT NULL, 
	created_from VARCHAR NOT NULL, 
	expires_at DATETIME NOT NULL, 
	used_at DATETIME, 
	ended_at DATETIME, 
	why_ended VARCHAR NOT NULL, 
	CONSTRAINT pk_tokens PRIMARY KEY (id), 
	CONSTRAINT uq_tokens_digest UNIQUE (digest), 
	CONSTRAINT fk_tokens_user_users FOREIGN KEY(user) REFERENCES users (login)
);
INSERT INTO "tokens" VALUES('d5295082de','4bd144f4c32e3915ee5da7ad857b5b2e5eeed2d59bf269ffb557e33f72377627','personal','alice','local','',0,'lab','["act", "admin", "read"]','2026-11-28 19:19:14.812173','','2036-11-25 19:19:14.812173','2026-11-28 19:19:19.507657',NULL,'');
INSERT INTO "tokens" VALUES('a7244148a7','efd8c10dbc9da1f42855d8844b5e9688e6e5f43e885d1e8799890d81776c4374','personal','bob','local','',0,'lab','["act", "admin", "read"]','2026-11-28 19:19:14.812173','','2036-11-25 19:19:14.812173','2026-11-28 19:19:54.561433',NULL,'');
INSERT INTO "tokens" VALUES('39f6135653','a07d855f1983968eeaddb9586c7d9f57b343d43a1198bafa95834cc652cbb409','personal','carol','local','',0,'lab','["act", "admin", "read"]','2026-11-28 19:19:14.812173','','2036-11-25 19:19:14.812173','2026-11-28 19:20:00.064501',NULL,'');
INSERT INTO "tokens" VALUES('f36993419d','cc3a554763127a9839f0106a0e65e4f11417f0ef94b58768ea521d7a892f8c7d','personal','olga','local','',0,'lab','["act", "admin", "read"]','2026-11-28 19:19:14.812173','','2036-11-25 19:19:14.812173','2026-11-28 19:19:37.737366',NULL,'');
CREATE TABLE users (
	login VARCHAR NOT NULL, 
	uid INTEGER NOT NULL, 
	affiliation VARCHAR NOT NULL, 
	public_keys JSON NOT NULL, 
	zone VARCHAR NOT NULL, 
	disabled_at DATETIME, 
	disabled_why VARCHAR NOT NULL, 
	removed_at DATETIME, 
	CONSTRAINT pk_users PRIMARY KEY (login), 
	CONSTRAINT uq_users_uid UNIQUE (uid)
);
INSERT INTO "users" VALUES('alice',20001,'local','["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINDGaJ+NqUacz/ulHbsWKDE0+NEz9/d1UZdxZCAyQ4+l alice@vclab"]','UTC',NULL,'',NULL);
INSERT INTO "users" VALUES('bob',20002,'local','["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJUb6lJrtOT0z99z6ztbvCVUoiBccEHrEUi2fNxDC4Qf bob@vclab"]','UTC',NULL,'',NULL);
INSERT INTO "users" VALUES('carol',20003,'local','["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPPZRQ2ruGaJgsy4qfcud/NNa8KuOCVUK4OTCBqH85S0 carol@vclab"]','UTC',NULL,'',NULL);
INSERT INTO "users" VALUES('olga',20004,'local','["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKNQDkaaJObCbDAP4MRK7NM1sNQzyb9jl7mGco/BhOgS olga@vclab"]','UTC',NULL,'',NULL);
CREATE UNIQUE INDEX uq_revisions_production ON revisions (image) WHERE state = 'production';
CREATE INDEX ix_computers_kind_state_name ON computers (kind, state, name);
CREATE INDEX ix_copies_place ON copies (place);
CREATE INDEX ix_disk_children_copy ON disk_children (image, revision, place);
CREATE INDEX ix_reservations_state_user ON reservations (state, user);
CREATE INDEX ix_reservations_user_created ON reservations (user, created);
CREATE INDEX ix_reservations_created ON reservations (created);
CREATE INDEX ix_reservations_ends ON reservations (ends);
CREATE INDEX ix_reservations_state_created ON reservations (state, created, id);
CREATE INDEX ix_reservations_failed ON reservations (ends) WHERE ending = 'failed' AND dismissed_at IS NULL;
CREATE UNIQUE INDEX uq_captures_running ON captures (image, revision) WHERE ended IS NULL;
CREATE INDEX ix_claims_holder ON claims (holder);
CREATE INDEX ix_claims_pool_ends ON claims (pool, ends);
CREATE INDEX ix_claims_computer_ends ON claims (computer, ends);
CREATE INDEX ix_claims_open ON claims (pool, starts, ends, cpus, memory_mb, disk_gb, spare) WHERE released IS 0;
CREATE INDEX ix_tenures_holder ON tenures (holder);
CREATE INDEX ix_tenures_taken_at ON tenures (taken_at);
CREATE UNIQUE INDEX uq_tenures_held ON tenures (computer) WHERE released_at IS NULL;
CREATE INDEX ix_addresses_computer ON addresses (computer, generation);
CREATE INDEX ix_addresses_private_address ON addresses (private_address);
CREATE INDEX ix_addresses_public_address ON addresses (public_address);
CREATE INDEX ix_load_log_image_outcome ON load_log (image, outcome, ended_at);
CREATE INDEX ix_events_reservation ON events (reservation);
CREATE INDEX ix_refused_requests_at ON refused_requests (at);
CREATE INDEX ix_load_failures_host ON load_failures (endpoint, host, against_host);
CREATE INDEX ix_load_failures_revision ON load_failures (image, revision, against_revision);
CREATE INDEX ix_load_failures_computer ON load_failures (computer, generation);
CREATE UNIQUE INDEX uq_host_rests_open ON host_rests (endpoint, host) WHERE ended_at IS NULL;
CREATE INDEX ix_intents_at ON intents (at);
CREATE INDEX ix_intents_actor ON intents (actor, at);
CREATE INDEX ix_intents_subject ON intents (subject, at);
CREATE INDEX ix_intents_address ON intents (address);
CREATE TRIGGER claims_insert BEFORE INSERT ON claims
WHEN NEW.computer IS NOT NULL AND NOT NEW.released
BEGIN
    SELECT RAISE(ABORT, 'claims_computer_overlap')
    WHERE EXISTS (
        SELECT 1 FROM claims
        WHERE computer = NEW.computer AND NOT released AND id IS NOT NULL
        AND starts < NEW.ends AND NEW.starts < ends
    );
END;
CREATE TRIGGER claims_update BEFORE UPDATE ON claims
WHEN NEW.computer IS NOT NULL AND NOT NEW.released
BEGIN
    SELECT RAISE(ABORT, 'claims_computer_overlap')
    WHERE EXISTS (
        SELECT 1 FROM claims
        WHERE computer = NEW.computer AND NOT released AND id IS NOT OLD.id
        AND starts < NEW.ends AND NEW.starts < ends
    );
END;
CREATE INDEX ix_group_members_kind_name ON group_members (kind, name);
CREATE INDEX ix_grants_to_name ON grants (to_name);
CREATE INDEX ix_grants_on_group ON grants (on_group);
CREATE INDEX ix_provider_accounts_user ON provider_accounts (user);
CREATE INDEX ix_tokens_user ON tokens (user);
CREATE INDEX ix_tokens_account ON tokens (provider, subject);
CREATE INDEX ix_tokens_expires_at ON tokens (expires_at);
CREATE INDEX ix_emergency_codes_expires_at ON emergency_codes (expires_at);
CREATE INDEX ix_pending_sign_ins_expires_at ON pending_sign_ins (expires_at);
CREATE INDEX ix_sign_in_attempts_at ON sign_in_attempts (at);
CREATE INDEX ix_keyed_acts_began_at ON keyed_acts (began_at);
CREATE TRIGGER intents_replaced BEFORE INSERT ON intents WHEN NOT (NOT EXISTS (SELECT 1 FROM intents WHERE id = NEW.id))
BEGIN
    SELECT RAISE(ABORT, 'intents are append-only');
END;
CREATE TRIGGER intents_deleted BEFORE DELETE ON intents WHEN NOT (EXISTS (SELECT 1 FROM removals WHERE ended_at IS NULL AND what = 'audit' AND before > OLD.at))
BEGIN
    SELECT RAISE(ABORT, 'intents are append-only');
END;
CREATE TRIGGER intents_answered BEFORE UPDATE OF outcome, detail, answered_at ON intents WHEN NOT (OLD.outcome IN ('open', 'unanswered') OR EXISTS (SELECT 1 FROM removals WHERE ended_at IS NULL AND what = 'person'))
BEGIN
    SELECT RAISE(ABORT, 'intents are append-only');
END;
CREATE TRIGGER intents_changed BEFORE UPDATE OF id, at, actor, authentication, roles, verb, subject, for_user, account, token, address, arguments ON intents WHEN NOT (EXISTS (SELECT 1 FROM removals WHERE ended_at IS NULL AND what = 'person'))
BEGIN
    SELECT RAISE(ABORT, 'intents are append-only');
END;
CREATE TRIGGER events_replaced BEFORE INSERT ON events WHEN NOT (NOT EXISTS (SELECT 1 FROM events WHERE id = NEW.id))
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
CREATE TRIGGER events_deleted BEFORE DELETE ON events WHEN NOT (EXISTS (SELECT 1 FROM removals WHERE ended_at IS NULL AND what = 'audit' AND before > OLD.at))
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
CREATE TRIGGER events_changed BEFORE UPDATE ON events WHEN NOT (EXISTS (SELECT 1 FROM removals WHERE ended_at IS NULL AND what = 'person'))
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;
CREATE TRIGGER removals_replaced BEFORE INSERT ON removals WHEN NOT (NOT EXISTS (SELECT 1 FROM removals WHERE id = NEW.id))
BEGIN
    SELECT RAISE(ABORT, 'removals are append-only');
END;
CREATE TRIGGER removals_deleted BEFORE DELETE ON removals WHEN NOT (0)
BEGIN
    SELECT RAISE(ABORT, 'removals are append-only');
END;
CREATE TRIGGER removals_changed BEFORE UPDATE ON removals WHEN NOT (OLD.ended_at IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'removals are append-only');
END;
CREATE INDEX ix_feed_at ON feed (at);
CREATE UNIQUE INDEX uq_feed_number ON feed (number);
CREATE INDEX ix_feed_unnumbered ON feed (id) WHERE number IS NULL;
CREATE TRIGGER feed_reservations_insert AFTER INSERT ON reservations
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', NEW.id, NEW."user";
END;
CREATE TRIGGER feed_reservations_update AFTER UPDATE ON reservations
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', NEW.id, NEW."user";
END;
CREATE TRIGGER feed_reservations_delete AFTER DELETE ON reservations
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', OLD.id, OLD."user";
END;
CREATE TRIGGER feed_load_log_insert AFTER INSERT ON load_log
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = NEW.reservation;
END;
CREATE TRIGGER feed_load_log_update AFTER UPDATE ON load_log
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = NEW.reservation;
END;
CREATE TRIGGER feed_load_log_delete AFTER DELETE ON load_log
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = OLD.reservation;
END;
CREATE TRIGGER feed_captures_insert AFTER INSERT ON captures
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = NEW.reservation;
END;
CREATE TRIGGER feed_captures_update AFTER UPDATE ON captures
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = NEW.reservation;
END;
CREATE TRIGGER feed_captures_delete AFTER DELETE ON captures
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = OLD.reservation;
END;
CREATE TRIGGER feed_copy_waiters_insert AFTER INSERT ON copy_waiters
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = NEW.reservation;
END;
CREATE TRIGGER feed_copy_waiters_update AFTER UPDATE ON copy_waiters
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = NEW.reservation;
END;
CREATE TRIGGER feed_copy_waiters_delete AFTER DELETE ON copy_waiters
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'reservation', r.id, r."user" FROM reservations AS r WHERE r.id = OLD.reservation;
END;
CREATE TRIGGER feed_images_insert AFTER INSERT ON images
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', NEW.name, '';
END;
CREATE TRIGGER feed_images_update AFTER UPDATE ON images
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', NEW.name, '';
END;
CREATE TRIGGER feed_images_delete AFTER DELETE ON images
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', OLD.name, '';
END;
CREATE TRIGGER feed_revisions_insert AFTER INSERT ON revisions
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', NEW.image, '';
END;
CREATE TRIGGER feed_revisions_update AFTER UPDATE ON revisions
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', NEW.image, '';
END;
CREATE TRIGGER feed_revisions_delete AFTER DELETE ON revisions
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', OLD.image, '';
END;
CREATE TRIGGER feed_copies_insert AFTER INSERT ON copies
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', NEW.image, '';
END;
CREATE TRIGGER feed_copies_update AFTER UPDATE OF "image", "revision", "place", "endpoint", "storage", "path", "ours", "state", "why", "since", "verified_at", "kept" ON copies
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', NEW.image, '';
END;
CREATE TRIGGER feed_copies_delete AFTER DELETE ON copies
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'image', OLD.image, '';
END;
CREATE TRIGGER feed_computers_insert AFTER INSERT ON computers
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', NEW.name, '';
END;
CREATE TRIGGER feed_computers_update AFTER UPDATE ON computers
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', NEW.name, '';
END;
CREATE TRIGGER feed_computers_delete AFTER DELETE ON computers
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', OLD.name, '';
END;
CREATE TRIGGER feed_tenures_insert AFTER INSERT ON tenures
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', NEW.computer, '';
END;
CREATE TRIGGER feed_tenures_update AFTER UPDATE ON tenures
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', NEW.computer, '';
END;
CREATE TRIGGER feed_tenures_delete AFTER DELETE ON tenures
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', OLD.computer, '';
END;
CREATE TRIGGER feed_spares_insert AFTER INSERT ON spares
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', NEW.computer, '';
END;
CREATE TRIGGER feed_spares_update AFTER UPDATE ON spares
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', NEW.computer, '';
END;
CREATE TRIGGER feed_spares_delete AFTER DELETE ON spares
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'computer', OLD.computer, '';
END;
CREATE TRIGGER feed_endpoints_insert AFTER INSERT ON endpoints
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'endpoint', NEW.name, '';
END;
CREATE TRIGGER feed_endpoints_update AFTER UPDATE ON endpoints
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'endpoint', NEW.name, '';
END;
CREATE TRIGGER feed_endpoints_delete AFTER DELETE ON endpoints
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'endpoint', OLD.name, '';
END;
CREATE TRIGGER feed_host_rests_insert AFTER INSERT ON host_rests
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'host', NEW.endpoint || '/' || NEW.host, '';
END;
CREATE TRIGGER feed_host_rests_update AFTER UPDATE ON host_rests
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'host', NEW.endpoint || '/' || NEW.host, '';
END;
CREATE TRIGGER feed_host_rests_delete AFTER DELETE ON host_rests
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'host', OLD.endpoint || '/' || OLD.host, '';
END;
CREATE TRIGGER feed_repositories_insert AFTER INSERT ON repositories
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'repository', NEW.name, '';
END;
CREATE TRIGGER feed_repositories_update AFTER UPDATE ON repositories
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'repository', NEW.name, '';
END;
CREATE TRIGGER feed_repositories_delete AFTER DELETE ON repositories
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'repository', OLD.name, '';
END;
CREATE TRIGGER feed_users_insert AFTER INSERT ON users
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'user', NEW.login, NEW.login;
END;
CREATE TRIGGER feed_users_update AFTER UPDATE ON users
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'user', NEW.login, NEW.login;
END;
CREATE TRIGGER feed_users_delete AFTER DELETE ON users
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'user', OLD.login, OLD.login;
END;
CREATE TRIGGER feed_groups_insert AFTER INSERT ON groups
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'group', NEW.name, '';
END;
CREATE TRIGGER feed_groups_update AFTER UPDATE ON groups
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'group', NEW.name, '';
END;
CREATE TRIGGER feed_groups_delete AFTER DELETE ON groups
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'group', OLD.name, '';
END;
CREATE TRIGGER feed_group_members_insert AFTER INSERT ON group_members
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'group', NEW.group_name, '';
END;
CREATE TRIGGER feed_group_members_update AFTER UPDATE ON group_members
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'group', NEW.group_name, '';
END;
CREATE TRIGGER feed_group_members_delete AFTER DELETE ON group_members
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'group', OLD.group_name, '';
END;
CREATE TRIGGER feed_grants_insert AFTER INSERT ON grants
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'grant', CAST(NEW.id AS TEXT), '';
END;
CREATE TRIGGER feed_grants_update AFTER UPDATE ON grants
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'grant', CAST(NEW.id AS TEXT), '';
END;
CREATE TRIGGER feed_grants_delete AFTER DELETE ON grants
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'grant', CAST(OLD.id AS TEXT), '';
END;
CREATE TRIGGER feed_provider_accounts_insert AFTER INSERT ON provider_accounts
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'user', NEW."user", NEW."user";
END;
CREATE TRIGGER feed_provider_accounts_update AFTER UPDATE OF "provider", "subject", "user", "called", "groups", "created_at", "gone_at" ON provider_accounts
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'user', NEW."user", NEW."user";
END;
CREATE TRIGGER feed_provider_accounts_delete AFTER DELETE ON provider_accounts
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'user', OLD."user", OLD."user";
END;
CREATE TRIGGER feed_tokens_insert AFTER INSERT ON tokens
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'token', NEW.id, coalesce(NEW."user", '');
END;
CREATE TRIGGER feed_tokens_update AFTER UPDATE OF "id", "digest", "kind", "user", "provider", "subject", "mfa", "name", "scopes", "created_at", "created_from", "expires_at", "ended_at", "why_ended" ON tokens
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'token', NEW.id, coalesce(NEW."user", '');
END;
CREATE TRIGGER feed_tokens_delete AFTER DELETE ON tokens
BEGIN
    INSERT INTO feed (at, kind, thing, owner)
    SELECT strftime('%Y-%m-%d %H:%M:%f000', 'now'), 'token', OLD.id, coalesce(OLD."user", '');
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('grants',2);
COMMIT;
