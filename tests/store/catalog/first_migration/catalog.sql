BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE alerts (
	model_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	project_id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	family TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	"column" TEXT, 
	segment TEXT, 
	first_us BIGINT NOT NULL, 
	fired_us BIGINT, 
	resolved_us BIGINT, 
	body JSON NOT NULL, 
	opened_us BIGINT NOT NULL, 
	updated_us BIGINT NOT NULL, 
	withdrawn BOOLEAN NOT NULL, 
	CONSTRAINT pk_alerts PRIMARY KEY (model_id, id), 
	CONSTRAINT fk_alerts_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_alerts_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "alerts" VALUES(1,'silent',1,'firing','critical','operations','row_count',NULL,NULL,1700000000000000,1700000000000000,NULL,'{}',1700000000000000,1700000000000000,0);
CREATE TABLE audit (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	at_us BIGINT NOT NULL, 
	key_id INTEGER, 
	action TEXT NOT NULL, 
	target TEXT NOT NULL, 
	detail JSON NOT NULL, 
	CONSTRAINT fk_audit_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "audit" VALUES(1,1,1700000000000000,NULL,'model.create','flights','{"by": "ada"}');
CREATE TABLE changes (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	at_us BIGINT NOT NULL, 
	kind TEXT NOT NULL, 
	title TEXT NOT NULL, 
	detail JSON NOT NULL, 
	version TEXT, 
	created_us BIGINT NOT NULL, 
	created_by TEXT, 
	CONSTRAINT fk_changes_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_changes_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "changes" VALUES(1,1,1,1700000000000000,'deployment','second try','{}','2',1700000000000000,NULL);
CREATE TABLE comments (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	incident_id TEXT NOT NULL, 
	at_us BIGINT NOT NULL, 
	author TEXT NOT NULL, 
	text TEXT NOT NULL, 
	CONSTRAINT fk_comments_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_comments_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "comments" VALUES(1,1,1,'silent',1700000000000000,'ada','It''s the feed.');
CREATE TABLE dirty (
	reference_id INTEGER NOT NULL, 
	start_us BIGINT NOT NULL, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	since_us BIGINT NOT NULL, 
	marks BIGINT NOT NULL, 
	CONSTRAINT pk_dirty PRIMARY KEY (reference_id, start_us), 
	CONSTRAINT fk_dirty_project_id_model_id_reference_id FOREIGN KEY(project_id, model_id, reference_id) REFERENCES "references" (project_id, model_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_dirty_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
)
 WITHOUT ROWID

;
INSERT INTO "dirty" VALUES(1,1704153600000000,1,1,1700000000000000,1);
CREATE TABLE incidents (
	model_id INTEGER NOT NULL, 
	id TEXT NOT NULL, 
	project_id INTEGER NOT NULL, 
	state TEXT NOT NULL, 
	severity TEXT NOT NULL, 
	family TEXT NOT NULL, 
	title TEXT NOT NULL, 
	since_us BIGINT NOT NULL, 
	until_us BIGINT, 
	body JSON NOT NULL, 
	acknowledged_us BIGINT, 
	acknowledged_by TEXT, 
	opened_us BIGINT NOT NULL, 
	updated_us BIGINT NOT NULL, 
	withdrawn BOOLEAN NOT NULL, 
	CONSTRAINT pk_incidents PRIMARY KEY (model_id, id), 
	CONSTRAINT fk_incidents_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_incidents_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "incidents" VALUES(1,'silent',1,'firing','critical','operations','No events',1700000000000000,NULL,'{}',1700000000000001,'ada',1700000000000000,1700000000000001,0);
CREATE TABLE jobs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	state TEXT NOT NULL, 
	detail JSON NOT NULL, 
	done BIGINT NOT NULL, 
	total BIGINT, 
	reason TEXT, 
	attempts BIGINT NOT NULL, 
	owner TEXT, 
	until_us BIGINT, 
	created_us BIGINT NOT NULL, 
	updated_us BIGINT NOT NULL, 
	CONSTRAINT fk_jobs_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_jobs_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "jobs" VALUES(1,1,1,'backfill','running','{"start_us": 0}',0,9,NULL,1,'worker',1700000030000000,1700000000000000,1700000000000000);
CREATE TABLE keys (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	prefix TEXT NOT NULL, 
	hash BLOB NOT NULL, 
	action TEXT NOT NULL, 
	created_us BIGINT NOT NULL, 
	expires_us BIGINT, 
	revoked_us BIGINT, 
	last_used_us BIGINT, 
	CONSTRAINT fk_keys_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_keys_prefix UNIQUE (prefix)
);
INSERT INTO "keys" VALUES(1,1,'producer','AAAAAAAAAAAA',X'412DC46CC9E3CB26F29F7C1415C556349AF62904C5D15B0A2D8CFDC5CFA22B34','ingest',1700000000000000,NULL,NULL,NULL);
CREATE TABLE leases (
	name TEXT NOT NULL, 
	owner TEXT NOT NULL, 
	until_us BIGINT NOT NULL, 
	token BIGINT NOT NULL, 
	CONSTRAINT pk_leases PRIMARY KEY (name)
);
INSERT INTO "leases" VALUES('model 1','worker',1700000030000000,1);
CREATE TABLE models (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	spec JSON NOT NULL, 
	schema JSON, 
	chunk TEXT NOT NULL, 
	version TEXT NOT NULL, 
	reference_id INTEGER, 
	results_us BIGINT, 
	created_us BIGINT NOT NULL, 
	updated_us BIGINT NOT NULL, 
	revision BIGINT NOT NULL, 
	CONSTRAINT fk_models_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_models_project_id_id UNIQUE (project_id, id), 
	CONSTRAINT uq_models_project_id_name UNIQUE (project_id, name)
);
INSERT INTO "models" VALUES(1,1,'flights','{"task": "binary", "name": "fl\u00fcge"}','{"id": "key"}','1d','1',1,1700086400000000,1700000000000000,1700000000000000,2);
CREATE TABLE organisations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	name TEXT NOT NULL, 
	CONSTRAINT uq_organisations_name UNIQUE (name)
);
INSERT INTO "organisations" VALUES(1,'default');
CREATE TABLE points (
	series_id INTEGER NOT NULL, 
	chunk_us BIGINT NOT NULL, 
	from_us BIGINT NOT NULL, 
	until_us BIGINT NOT NULL, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	chunk TEXT NOT NULL, 
	end_us BIGINT NOT NULL, 
	version TEXT NOT NULL, 
	n BIGINT NOT NULL, 
	value DOUBLE, 
	lower DOUBLE, 
	upper DOUBLE, 
	reference_value DOUBLE, 
	limit_lower DOUBLE, 
	limit_upper DOUBLE, 
	evidence DOUBLE, 
	status TEXT NOT NULL, 
	reason TEXT, 
	label_coverage DOUBLE, 
	CONSTRAINT pk_points PRIMARY KEY (series_id, chunk_us, from_us), 
	CONSTRAINT fk_points_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT fk_points_series_id FOREIGN KEY(series_id) REFERENCES series (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
INSERT INTO "points" VALUES(1,1704067200000000,1700000000000000,1700086400000000,1,1,'2024-01-01',1704153600000000,'1',10,0.0,NULL,NULL,NULL,NULL,NULL,NULL,'ok',NULL,NULL);
INSERT INTO "points" VALUES(1,1704067200000000,1700086400000000,4611686018427387904,1,1,'2024-01-01',1704153600000000,'1',10,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'ok','no rows',NULL);
INSERT INTO "points" VALUES(1,1704153600000000,1700000000000000,1700086400000000,1,1,'2024-01-02',1704240000000000,'1',10,3.33333333333333314829e-01,NULL,NULL,NULL,NULL,NULL,NULL,'ok',NULL,NULL);
CREATE TABLE poison (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	step TEXT NOT NULL, 
	position TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	at_us BIGINT NOT NULL, 
	CONSTRAINT fk_poison_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_poison_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "poison" VALUES(1,1,1,'profile','7','unreadable',1700000000000000);
CREATE TABLE positions (
	model_id INTEGER NOT NULL, 
	reference_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	events_version BIGINT NOT NULL, 
	labels_version BIGINT NOT NULL, 
	CONSTRAINT pk_positions PRIMARY KEY (model_id, reference_id), 
	CONSTRAINT fk_positions_project_id_model_id_reference_id FOREIGN KEY(project_id, model_id, reference_id) REFERENCES "references" (project_id, model_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_positions_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
)
 WITHOUT ROWID

;
INSERT INTO "positions" VALUES(1,1,1,4,2);
CREATE TABLE profiles (
	reference_id INTEGER NOT NULL, 
	grain TEXT NOT NULL, 
	start_us BIGINT NOT NULL, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	end_us BIGINT NOT NULL, 
	chunk TEXT NOT NULL, 
	rows BIGINT NOT NULL, 
	first_us BIGINT, 
	last_us BIGINT, 
	revision BIGINT NOT NULL, 
	data BLOB NOT NULL, 
	updated_us BIGINT NOT NULL, 
	CONSTRAINT pk_profiles PRIMARY KEY (reference_id, grain, start_us), 
	CONSTRAINT fk_profiles_project_id_model_id_reference_id FOREIGN KEY(project_id, model_id, reference_id) REFERENCES "references" (project_id, model_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_profiles_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "profiles" VALUES(1,'chunk',1704067200000000,1,1,1704153600000000,'day 0',3,1704067200000000,1704067200000001,1,X'70726F66696C65',1700000000000000);
INSERT INTO "profiles" VALUES(1,'chunk',1704153600000000,1,1,1704240000000000,'day 1',3,1704153600000000,1704153600000001,1,X'70726F66696C65',1700000000000000);
CREATE TABLE projects (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	organisation_id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	created_us BIGINT NOT NULL, 
	CONSTRAINT fk_projects_organisation_id FOREIGN KEY(organisation_id) REFERENCES organisations (id), 
	CONSTRAINT uq_projects_organisation_id_name UNIQUE (organisation_id, name)
);
INSERT INTO "projects" VALUES(1,1,'default',1700000000000000);
INSERT INTO "projects" VALUES(2,1,'second',1700000000000000);
CREATE TABLE quarantine (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	kind TEXT NOT NULL, 
	received_us BIGINT NOT NULL, 
	reasons JSON NOT NULL, 
	"row" TEXT NOT NULL, 
	origin TEXT NOT NULL, 
	replayed_us BIGINT, 
	CONSTRAINT fk_quarantine_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_quarantine_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "quarantine" VALUES(1,1,1,'events',1700000000000000,'["no id"]','{"x": 1}','node 1',NULL);
CREATE TABLE "references" (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	number BIGINT NOT NULL, 
	state TEXT NOT NULL, 
	reason TEXT, 
	rows BIGINT, 
	data_bytes BIGINT NOT NULL, 
	digest TEXT NOT NULL, 
	created_us BIGINT NOT NULL, 
	ready_us BIGINT, 
	fitted BLOB, 
	CONSTRAINT fk_references_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_references_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_references_model_id_number UNIQUE (model_id, number), 
	CONSTRAINT uq_references_project_id_model_id_id UNIQUE (project_id, model_id, id)
);
INSERT INTO "references" VALUES(1,1,1,1,'ready',NULL,2,3,'abc',1700000000000000,1700000000000000,X'0001020304050607');
CREATE TABLE series (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER NOT NULL, 
	monitor TEXT NOT NULL, 
	metric TEXT NOT NULL, 
	family TEXT NOT NULL, 
	"column" TEXT, 
	segment TEXT, 
	CONSTRAINT fk_series_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_series_project_id FOREIGN KEY(project_id) REFERENCES projects (id), 
	CONSTRAINT uq_series_model_id_monitor UNIQUE (model_id, monitor)
);
INSERT INTO "series" VALUES(1,1,1,'drift.psi.x','psi','drift','x',NULL);
CREATE TABLE silences (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	project_id INTEGER NOT NULL, 
	model_id INTEGER, 
	matchers JSON NOT NULL, 
	starts_us BIGINT NOT NULL, 
	ends_us BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	created_by TEXT NOT NULL, 
	created_us BIGINT NOT NULL, 
	CONSTRAINT fk_silences_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_silences_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "silences" VALUES(1,1,NULL,'[["column", "x*"]]',0,1700086400000000,'rebuilt','ada',1700000000000000);
CREATE TABLE states (
	model_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	verdict TEXT NOT NULL, 
	severity TEXT, 
	evaluated_us BIGINT, 
	last_event_us BIGINT, 
	last_received_us BIGINT, 
	watermark_us BIGINT, 
	events BIGINT NOT NULL, 
	labels BIGINT NOT NULL, 
	rejected BIGINT NOT NULL, 
	firing BIGINT NOT NULL, 
	incidents BIGINT NOT NULL, 
	unknown_columns JSON NOT NULL, 
	missing_columns JSON NOT NULL, 
	late BIGINT NOT NULL, 
	detail JSON NOT NULL, 
	CONSTRAINT pk_states PRIMARY KEY (model_id), 
	CONSTRAINT fk_states_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_states_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "states" VALUES(1,1,'bad','warning',NULL,NULL,NULL,NULL,7,0,0,0,0,'{}','[]',0,'{"a": [1.5, null]}');
CREATE TABLE work (
	model_id INTEGER NOT NULL, 
	project_id INTEGER NOT NULL, 
	due_us BIGINT NOT NULL, 
	marks BIGINT NOT NULL, 
	failures BIGINT NOT NULL, 
	CONSTRAINT pk_work PRIMARY KEY (model_id), 
	CONSTRAINT fk_work_project_id_model_id FOREIGN KEY(project_id, model_id) REFERENCES models (project_id, id) ON DELETE CASCADE, 
	CONSTRAINT fk_work_project_id FOREIGN KEY(project_id) REFERENCES projects (id)
);
INSERT INTO "work" VALUES(1,1,1700000000000000,1,0);
CREATE INDEX ix_audit_project_id_id ON audit (project_id, id);
CREATE INDEX ix_keys_project_id_id ON keys (project_id, id);
CREATE INDEX ix_alerts_project_id_opened_us ON alerts (project_id, opened_us);
CREATE INDEX ix_changes_model_id_at_us_id ON changes (model_id, at_us, id);
CREATE INDEX ix_comments_model_id_incident_id_id ON comments (model_id, incident_id, id);
CREATE INDEX ix_incidents_project_id_opened_us ON incidents (project_id, opened_us);
CREATE INDEX ix_jobs_model_id_id ON jobs (model_id, id);
CREATE INDEX ix_jobs_project_id_id ON jobs (project_id, id);
CREATE INDEX ix_jobs_state_id ON jobs (state, id);
CREATE INDEX ix_poison_model_id_id ON poison (model_id, id);
CREATE INDEX ix_quarantine_model_id_id ON quarantine (model_id, id);
CREATE INDEX ix_quarantine_model_id_origin ON quarantine (model_id, origin);
CREATE INDEX ix_silences_model_id ON silences (model_id);
CREATE INDEX ix_silences_project_id_ends_us ON silences (project_id, ends_us);
CREATE INDEX ix_states_project_id ON states (project_id);
CREATE INDEX ix_work_due_us ON work (due_us);
CREATE INDEX ix_points_current ON points (model_id, chunk_us, series_id) WHERE until_us = 4611686018427387904;
CREATE INDEX ix_positions_reference_id ON positions (reference_id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('organisations',1);
INSERT INTO "sqlite_sequence" VALUES('projects',2);
INSERT INTO "sqlite_sequence" VALUES('models',1);
INSERT INTO "sqlite_sequence" VALUES('references',1);
INSERT INTO "sqlite_sequence" VALUES('series',1);
INSERT INTO "sqlite_sequence" VALUES('changes',1);
INSERT INTO "sqlite_sequence" VALUES('comments',1);
INSERT INTO "sqlite_sequence" VALUES('silences',1);
INSERT INTO "sqlite_sequence" VALUES('jobs',1);
INSERT INTO "sqlite_sequence" VALUES('keys',1);
INSERT INTO "sqlite_sequence" VALUES('quarantine',1);
INSERT INTO "sqlite_sequence" VALUES('poison',1);
INSERT INTO "sqlite_sequence" VALUES('audit',1);
COMMIT;
